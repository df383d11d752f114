//! A transport stream that FFmpeg made, with the sections that FFmpeg cannot write.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

const PACKET: usize = 188;
const SPLICE_PID: u16 = 0x1f0;

fn pid(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[1], packet[2]]) & 0x1fff
}

/// Where the payload begins.
fn payload(packet: &[u8]) -> usize {
    if packet[3] & 0x20 == 0 {
        4
    } else {
        5 + usize::from(packet[4])
    }
}

/// Presentation time of the picture that begins in a packet (ISO/IEC 13818-1 2.4.3.7).
fn picture(packet: &[u8]) -> Option<u64> {
    let pes = packet.get(payload(packet)..)?;
    let is_picture = packet[1] & 0x40 != 0 && pes.starts_with(&[0, 0, 1, 0xe0]);
    (is_picture && pes[7] & 0x80 != 0).then(|| {
        let bits = |byte: usize, mask: u8| u64::from(pes[byte] & mask);
        bits(9, 0x0e) << 29
            | bits(10, 0xff) << 22
            | bits(11, 0xfe) << 14
            | bits(12, 0xff) << 7
            | bits(13, 0xfe) >> 1
    })
}

/// Presentation time of the first picture.
pub(crate) fn first_pts(stream: &[u8]) -> u64 {
    stream.chunks_exact(PACKET).find_map(picture).unwrap()
}

/// Puts each section before the picture of its time, on a PID that the programme's map names as that of splices.
pub(crate) fn with_sections(stream: &[u8], sections: &[(u64, &Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut map = None;
    let (mut waiting, mut said) = (sections, 0);
    for packet in stream.chunks_exact(PACKET) {
        if pid(packet) == 0 {
            // Pointer, eight bytes of header, one programme.
            let entry = &packet[payload(packet) + 1 + 8 + 2..];
            map = Some(u16::from_be_bytes([entry[0], entry[1]]) & 0x1fff);
        }
        if let Some(((_, section), rest)) = waiting.split_first()
            && picture(packet).is_some_and(|time| time >= waiting[0].0)
        {
            out.extend(packetised(section, SPLICE_PID, said));
            said += 1;
            waiting = rest;
        }
        if Some(pid(packet)) == map {
            let start = payload(packet) + 1;
            out.extend(packetised(
                &with_splices(&packet[start..]),
                pid(packet),
                packet[3] & 15,
            ));
        } else {
            out.extend(packet);
        }
    }
    assert!(waiting.is_empty());
    out
}

/// The programme's map with the registration `CUEI` and a PID of stream type 0x86 (SCTE 35 8.1, 8.2).
fn with_splices(section: &[u8]) -> Vec<u8> {
    let length = usize::from(u16::from_be_bytes([section[1], section[2]]) & 0xfff) + 3;
    let described = usize::from(u16::from_be_bytes([section[10], section[11]]) & 0xfff);
    let mut map = section[..10].to_vec();
    map.extend((0xf000 | (described as u16 + 6)).to_be_bytes());
    map.extend([5, 4]);
    map.extend(b"CUEI");
    map.extend(&section[12..length - 4]);
    map.push(0x86);
    map.extend((0xe000 | SPLICE_PID).to_be_bytes());
    map.extend([0xf0, 0]);
    map.splice(1..3, (0xb000 | (map.len() as u16 + 4 - 3)).to_be_bytes());
    let crc = map.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    });
    map.extend(crc.to_be_bytes());
    map
}

fn packetised(section: &[u8], pid: u16, counter: u8) -> Vec<u8> {
    let mut packet = vec![0x47];
    packet.extend((0x4000 | pid).to_be_bytes());
    packet.extend([0x10 | counter & 15, 0]);
    packet.extend(section);
    assert!(packet.len() <= PACKET);
    packet.resize(PACKET, 0xff);
    packet
}
