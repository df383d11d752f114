//! Splice information sections: the collected messages, field by field, and what holds for any section.
//!
//! The messages are found through `SELVEDGE_VECTORS`; each must decode exactly as its file says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::{collection::vec, option, prelude::*};
use selvedge_breaks::{
    Key, Openers, Pts, Signal, Ticks,
    scte35::{
        AudioComponent, Body, BreakDuration, CUEI, Command, Component, Delivery, Descriptor, Error, Insert,
        InsertPoint, Schedule, Scheduled, ScheduledPoint, Section, Segmentation, SegmentationComponent,
        SegmentationType, Segmented, SpliceInsert, SubSegments, Upid, from_base64, from_hex,
    },
    signal::{Action, Ignored, Time},
};
use serde_json::{Map, Value, json};

fn vectors() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("SELVEDGE_VECTORS") else {
        println!("SELVEDGE_VECTORS is not set: the collected messages are not read");
        return None;
    };
    let folder = PathBuf::from(folder).join("scte35");
    assert!(
        folder.is_dir(),
        "SELVEDGE_VECTORS is set, but {} is missing",
        folder.display()
    );
    Some(folder)
}

fn messages(folder: &Path) -> Vec<Value> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    paths.sort();
    let is_message = |path: &&PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.ends_with(".json") && !name.starts_with('_')
    };
    let read = |path: &PathBuf| serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    paths.iter().filter(is_message).map(read).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

/// A section as the files have it.
fn section_json(bytes: &[u8], section: &Section) -> Value {
    let length = Section::length_of(bytes).unwrap();
    let mut all = object(json!({
        "table_id": 0xfc,
        "section_syntax_indicator": u8::from(section.has_section_syntax),
        "private_indicator": u8::from(section.is_private),
        "sap_type": section.sap_type,
        "section_length": length - 3,
        "trailing_bytes_after_section": bytes.len() - length,
        "protocol_version": section.protocol_version,
        "pts_adjustment": section.pts_adjustment.ticks(),
        "cw_index": section.cw_index,
        "tier": section.tier,
        "crc32": hex(&bytes[length - 4..length]),
        "crc_valid": true,
    }));
    match &section.body {
        Body::Encrypted {
            algorithm,
            command_length,
            bytes,
        } => all.extend(object(json!({
            "encrypted_packet": true,
            "encryption_algorithm": algorithm,
            "splice_command_length": command_length,
            "encrypted_hex": hex(bytes),
        }))),
        Body::Clear {
            command,
            has_legacy_length,
            descriptors,
            stuffing,
        } => {
            let alone = Section::new(command.clone(), Vec::new()).encode().unwrap();
            let command_length = if *has_legacy_length {
                0xfff
            } else {
                alone.len() - 20
            };
            let descriptors: Vec<_> = descriptors.iter().map(descriptor_json).collect();
            let lengths = descriptors.iter().map(|one| one["length"].as_u64().unwrap() + 2);
            let mut loops: u64 = lengths.sum();
            if descriptors
                .last()
                .is_some_and(|last| last.get("malformed").is_some())
            {
                loops = length as u64 - 20 - command_length as u64;
            }
            all.extend(object(json!({
                "encrypted_packet": false,
                "encryption_algorithm": 0,
                "splice_command_length": command_length,
                "splice_command_type": command.kind(),
                "splice_command_name": name(command),
                "command": command_json(command),
                "descriptor_loop_length": loops,
                "alignment_stuffing_bytes": stuffing.len(),
                "descriptors": descriptors,
            })));
            let time = match command {
                Command::TimeSignal(time) => *time,
                Command::Insert(SpliceInsert {
                    event:
                        Some(Insert {
                            point: InsertPoint::Program(time),
                            ..
                        }),
                    ..
                }) => *time,
                _ => None,
            };
            if let Some(time) = time {
                all.insert("effective_pts".into(), section.effective(time).ticks().into());
            }
        }
    }
    all.into()
}

fn name(command: &Command) -> &'static str {
    match command {
        Command::Null => "splice_null",
        Command::Schedule(_) => "splice_schedule",
        Command::Insert(_) => "splice_insert",
        Command::TimeSignal(_) => "time_signal",
        Command::BandwidthReservation => "bandwidth_reservation",
        Command::Private { .. } => "private_command",
        Command::Reserved { .. } => "reserved",
    }
}

fn time_json(time: Option<Pts>) -> Value {
    json!({ "time_specified": time.is_some(), "pts_time": time.map(Pts::ticks) })
}

fn duration_json(lasts: BreakDuration) -> Value {
    json!({ "auto_return": lasts.auto_return, "duration": lasts.duration.0 })
}

fn command_json(command: &Command) -> Value {
    match command {
        Command::Null | Command::BandwidthReservation => json!({}),
        Command::TimeSignal(time) => time_json(*time),
        Command::Private { identifier, bytes } => {
            json!({ "identifier": identifier, "private_hex": hex(bytes) })
        }
        Command::Reserved { bytes, .. } => json!({ "raw_hex": hex(bytes) }),
        Command::Schedule(events) => {
            let events: Vec<_> = events.iter().map(schedule_json).collect();
            json!({ "events": events })
        }
        Command::Insert(insert) => insert_json(insert),
    }
}

fn insert_json(insert: &SpliceInsert) -> Value {
    let mut all = object(json!({
        "splice_event_id": insert.event_id,
        "splice_event_cancel_indicator": insert.event.is_none(),
    }));
    if let Some(event) = &insert.event {
        let is_program = matches!(event.point, InsertPoint::Immediate | InsertPoint::Program(_));
        let is_immediate = matches!(
            event.point,
            InsertPoint::Immediate | InsertPoint::ImmediateComponents(_)
        );
        all.extend(object(json!({
            "out_of_network_indicator": event.is_out,
            "program_splice_flag": is_program,
            "duration_flag": event.duration.is_some(),
            "splice_immediate_flag": is_immediate,
            "event_id_compliance_flag_bit": u8::from(event.event_id_compliance_bit),
            "unique_program_id": event.unique_program_id,
            "avail_num": event.avail_num,
            "avails_expected": event.avails_expected,
        })));
        match &event.point {
            InsertPoint::Program(time) => {
                all.insert("splice_time".into(), time_json(*time));
            }
            InsertPoint::Components(components) => {
                let components: Vec<_> = components
                    .iter()
                    .map(|one| json!({ "component_tag": one.tag, "splice_time": time_json(one.time) }))
                    .collect();
                all.insert("components".into(), components.into());
            }
            InsertPoint::Immediate | InsertPoint::ImmediateComponents(_) => {}
        }
        if let Some(lasts) = event.duration {
            all.insert("break_duration".into(), duration_json(lasts));
        }
    }
    all.into()
}

fn schedule_json(one: &Schedule) -> Value {
    let mut all = object(json!({
        "splice_event_id": one.event_id,
        "event_id_compliance_flag_bit": u8::from(one.event_id_compliance_bit),
        "splice_event_cancel_indicator": one.event.is_none(),
    }));
    if let Some(event) = &one.event {
        let ScheduledPoint::Program(seconds) = &event.point else {
            return all.into();
        };
        all.extend(object(json!({
            "out_of_network_indicator": event.is_out,
            "program_splice_flag": true,
            "duration_flag": event.duration.is_some(),
            "utc_splice_time": seconds,
            "unique_program_id": event.unique_program_id,
            "avail_num": event.avail_num,
            "avails_expected": event.avails_expected,
        })));
        if let Some(lasts) = event.duration {
            all.insert("break_duration".into(), duration_json(lasts));
        }
    }
    all.into()
}

/// Tag and length of a descriptor, as it is written alone.
fn frame(descriptor: &Descriptor) -> (u8, u8) {
    let alone = Section::new(Command::Null, vec![descriptor.clone()])
        .encode()
        .unwrap();
    (alone[16], alone[17])
}

fn descriptor_json(descriptor: &Descriptor) -> Value {
    let (tag, length) = frame(descriptor);
    if let Descriptor::Malformed(_) = descriptor {
        return json!({ "tag": tag, "length": length, "malformed": "descriptor runs past the loop" });
    }
    let mut all = object(json!({ "tag": tag, "length": length, "identifier": "CUEI" }));
    let fields = match descriptor {
        Descriptor::Avail(id) => json!({ "provider_avail_id": id }),
        Descriptor::Dtmf { preroll, chars } => {
            json!({ "preroll": preroll, "dtmf_chars": String::from_utf8_lossy(chars) })
        }
        Descriptor::Segmentation(segmentation) => segmentation_json(segmentation),
        Descriptor::Time {
            tai_seconds,
            tai_ns,
            utc_offset,
        } => json!({ "tai_seconds": tai_seconds, "tai_ns": tai_ns, "utc_offset": utc_offset }),
        Descriptor::Audio(components) => {
            let component = |one: &AudioComponent| {
                json!({
                    "component_tag": one.tag,
                    "iso_code": String::from_utf8_lossy(&one.iso_code),
                    "bit_stream_mode": one.bit_stream_mode,
                    "num_channels": one.num_channels,
                    "full_srvc_audio": one.is_full_service,
                })
            };
            json!({ "audio": components.iter().map(component).collect::<Vec<_>>() })
        }
        Descriptor::Other {
            identifier: CUEI,
            bytes,
            ..
        } => json!({ "raw_hex": hex(bytes) }),
        Descriptor::Other {
            identifier, bytes, ..
        } => json!({
            "identifier": String::from_utf8_lossy(&identifier.to_be_bytes()),
            "private_hex": hex(bytes),
        }),
        Descriptor::Malformed(_) => unreachable!("written above"),
    };
    all.extend(object(fields));
    all.into()
}

fn segmentation_json(segmentation: &Segmentation) -> Value {
    let mut all = object(json!({
        "segmentation_event_id": segmentation.event_id,
        "segmentation_event_cancel_indicator": segmentation.event.is_none(),
        "segmentation_event_id_compliance_indicator_bit": u8::from(segmentation.event_id_compliance_bit),
    }));
    let Some(event) = &segmentation.event else {
        return all.into();
    };
    all.extend(object(json!({
        "program_segmentation_flag": event.components.is_none(),
        "segmentation_duration_flag": event.duration.is_some(),
        "delivery_not_restricted_flag": event.delivery.is_none(),
        "upid": upid_json(&event.upid, true),
        "segmentation_type_id": event.kind.0,
        "segment_num": event.segment_num,
        "segments_expected": event.segments_expected,
    })));
    if let Some(delivery) = event.delivery {
        all.extend(object(json!({
            "web_delivery_allowed_flag": delivery.is_web_allowed,
            "no_regional_blackout_flag": delivery.has_no_regional_blackout,
            "archive_allowed_flag": delivery.is_archive_allowed,
            "device_restrictions": delivery.device_restrictions,
        })));
    }
    if let Some(duration) = event.duration {
        all.insert("segmentation_duration".into(), duration.0.into());
    }
    if let Some(components) = &event.components {
        let components: Vec<_> = components
            .iter()
            .map(|one| json!({ "component_tag": one.tag, "pts_offset": one.pts_offset.ticks() }))
            .collect();
        all.insert("components".into(), components.into());
    }
    if let Some(sub) = event.sub_segments {
        all.insert("sub_segment_num".into(), sub.num.into());
        all.insert("sub_segments_expected".into(), sub.expected.into());
    }
    all.into()
}

fn upid_json(upid: &Upid, is_outer: bool) -> Value {
    let mut all = object(json!({ "type": upid.kind, "length": upid.bytes.len(), "hex": hex(&upid.bytes) }));
    if let Some(text) = upid.text() {
        all.insert("text".into(), text.into());
    }
    if let (true, several @ [_, ..]) = (is_outer, &*upid.several()) {
        let several: Vec<_> = several.iter().map(|one| upid_json(one, false)).collect();
        all.insert("mid".into(), several.into());
    }
    if let Some((format, rest)) = upid.private() {
        all.insert(
            "format_identifier".into(),
            String::from_utf8_lossy(&format).into(),
        );
        all.insert("private_hex".into(), hex(rest).into());
    }
    all.into()
}

fn signal_json(signal: &Signal) -> Value {
    let key = match &signal.key {
        // The files name the event alone.
        Key::Segmentation { event, .. } => format!("seg:{event}"),
        key => key.to_string(),
    };
    let action = match (signal.action, signal.time) {
        (Action::Out, Time::Gps(_)) => "scheduled_out",
        (Action::In, Time::Gps(_)) => "scheduled_in",
        (Action::Out, _) => "out",
        (Action::In, _) => "in",
        (Action::Cancel, _) => "cancel",
        (Action::Info, _) => "info",
    };
    let mut all = object(json!({ "key": key, "action": action }));
    if signal.action == Action::Cancel {
        return all.into();
    }
    if let Some(duration) = signal.duration {
        all.insert("duration_ticks".into(), duration.0.into());
    }
    let effective_pts = match signal.time {
        Time::Gps(seconds) => {
            all.insert("utc_splice_time".into(), seconds.into());
            return all.into();
        }
        Time::At(pts) => Some(pts.ticks()),
        Time::Immediate => None,
    };
    all.insert("effective_pts".into(), effective_pts.into());
    all.insert("immediate".into(), effective_pts.is_none().into());
    if let Some(auto_return) = signal.auto_return {
        all.insert("auto_return".into(), auto_return.into());
    }
    if signal.is_insertion_point() {
        all.insert("insertion_point".into(), true.into());
    }
    if let Some(segment) = signal.segment {
        all.insert("family".into(), segment.kind.name().into());
        all.insert("segmentation_type_id".into(), segment.kind.0.into());
        all.insert("segment_num".into(), segment.num.into());
        all.insert("segments_expected".into(), segment.expected.into());
    }
    all.into()
}

#[test]
fn every_collected_message_decodes_exactly_as_its_file_says() {
    let Some(folder) = vectors() else { return };
    let mut read = 0;
    for message in messages(&folder) {
        let name = message["name"].as_str().unwrap();
        let bytes = from_base64(message["base64"].as_str().unwrap()).unwrap();
        let digits = message["hex"].as_str().unwrap();
        assert_eq!(from_hex(digits).unwrap(), bytes, "{name}");
        assert_eq!(
            from_hex(&format!("0x{}", digits.to_uppercase())).unwrap(),
            bytes,
            "{name}"
        );
        read += 1;
        let decoded = Section::decode(&bytes);
        let expected = &message["expect"];
        let section = match expected["parse"].as_str().unwrap() {
            "ok" => decoded.unwrap_or_else(|error| panic!("{name}: {error}")),
            "crc_error" => {
                assert!(matches!(decoded, Err(Error::Crc { .. })), "{name}: {decoded:?}");
                continue;
            }
            _ => {
                assert!(decoded.is_err(), "{name}: {decoded:?}");
                continue;
            }
        };
        assert_eq!(section_json(&bytes, &section), expected["section"], "{name}");
        let signals = match Signal::read(&section, Openers::default()) {
            Ok(signals) => signals.iter().map(signal_json).collect(),
            Err(Ignored::Encrypted) => vec![json!({ "action": "ignore", "reason": "encrypted" })],
            Err(other) => panic!("{name}: {other}"),
        };
        assert_eq!(Value::from(signals), expected["signals"], "{name}");
        // What is written again is what came, but for bits that are reserved.
        assert_eq!(
            Section::decode(&section.encode().unwrap()).as_ref(),
            Ok(&section),
            "{name}"
        );
    }
    assert!(read >= 70, "{read}");
    println!("{read} messages");
}

fn any_pts() -> impl Strategy<Value = Pts> {
    any::<u64>().prop_map(Pts::new)
}

fn any_duration() -> impl Strategy<Value = Option<BreakDuration>> {
    option::of(
        (any::<bool>(), 0..1_u64 << 33).prop_map(|(auto_return, ticks)| BreakDuration {
            auto_return,
            duration: Ticks(ticks),
        }),
    )
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Null),
        Just(Command::BandwidthReservation),
        option::of(any_pts()).prop_map(Command::TimeSignal),
        any_insert().prop_map(Command::Insert),
        vec(any_schedule(), 0..4).prop_map(Command::Schedule),
        (any::<u32>(), vec(any::<u8>(), 0..20))
            .prop_map(|(identifier, bytes)| Command::Private { identifier, bytes }),
        (8..0xff_u8, vec(any::<u8>(), 0..20)).prop_map(|(kind, bytes)| Command::Reserved { kind, bytes }),
    ]
}

fn any_insert() -> impl Strategy<Value = SpliceInsert> {
    let component = (any::<u8>(), option::of(any_pts())).prop_map(|(tag, time)| Component { tag, time });
    let point = prop_oneof![
        Just(InsertPoint::Immediate),
        option::of(any_pts()).prop_map(InsertPoint::Program),
        vec(component, 0..4).prop_map(InsertPoint::Components),
        vec(any::<u8>(), 0..4).prop_map(InsertPoint::ImmediateComponents),
    ];
    let event = (point, any_duration(), any::<(bool, bool, u16, u8, u8)>()).prop_map(
        |(point, duration, (is_out, bit, unique_program_id, avail_num, avails_expected))| Insert {
            is_out,
            event_id_compliance_bit: bit,
            point,
            duration,
            unique_program_id,
            avail_num,
            avails_expected,
        },
    );
    (any::<u32>(), option::of(event)).prop_map(|(event_id, event)| SpliceInsert { event_id, event })
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let point = prop_oneof![
        any::<u32>().prop_map(ScheduledPoint::Program),
        vec(any::<(u8, u32)>(), 0..4).prop_map(ScheduledPoint::Components),
    ];
    let event = (point, any_duration(), any::<(bool, u16, u8, u8)>()).prop_map(
        |(point, duration, (is_out, unique_program_id, avail_num, avails_expected))| Scheduled {
            is_out,
            point,
            duration,
            unique_program_id,
            avail_num,
            avails_expected,
        },
    );
    (any::<(u32, bool)>(), option::of(event)).prop_map(|((event_id, bit), event)| Schedule {
        event_id,
        event_id_compliance_bit: bit,
        event,
    })
}

fn any_descriptor() -> impl Strategy<Value = Descriptor> {
    let audio = (any::<(u8, [u8; 3], bool)>(), 0..8_u8, 0..16_u8).prop_map(
        |((tag, iso_code, is_full_service), bit_stream_mode, num_channels)| AudioComponent {
            tag,
            iso_code,
            bit_stream_mode,
            num_channels,
            is_full_service,
        },
    );
    prop_oneof![
        any::<u32>().prop_map(Descriptor::Avail),
        (any::<u8>(), vec(any::<u8>(), 0..8))
            .prop_map(|(preroll, chars)| Descriptor::Dtmf { preroll, chars }),
        (0..1_u64 << 48, any::<(u32, u16)>()).prop_map(|(tai_seconds, (tai_ns, utc_offset))| {
            Descriptor::Time {
                tai_seconds,
                tai_ns,
                utc_offset,
            }
        }),
        vec(audio, 0..16).prop_map(Descriptor::Audio),
        (5..=255_u8, vec(any::<u8>(), 0..60)).prop_map(|(tag, bytes)| Descriptor::Other {
            tag,
            identifier: CUEI,
            bytes
        }),
        (any::<(u8, u32)>(), vec(any::<u8>(), 0..60))
            .prop_filter("ours", |((_, identifier), _)| *identifier != CUEI)
            .prop_map(|((tag, identifier), bytes)| Descriptor::Other {
                tag,
                identifier,
                bytes
            }),
        any_segmentation().prop_map(Descriptor::Segmentation),
    ]
}

fn any_segmentation() -> impl Strategy<Value = Segmentation> {
    let component =
        (any::<u8>(), any_pts()).prop_map(|(tag, pts_offset)| SegmentationComponent { tag, pts_offset });
    let delivery =
        (any::<(bool, bool, bool)>(), 0..4_u8).prop_map(|((web, blackout, archive), restrictions)| {
            Delivery {
                is_web_allowed: web,
                has_no_regional_blackout: blackout,
                is_archive_allowed: archive,
                device_restrictions: restrictions,
            }
        });
    let upid = (any::<u8>(), vec(any::<u8>(), 0..40)).prop_map(|(kind, bytes)| Upid { kind, bytes });
    let event = (
        option::of(vec(component, 0..4)),
        option::of((0..1_u64 << 40).prop_map(Ticks)),
        option::of(delivery),
        upid,
        any::<(u8, u8, u8, Option<(u8, u8)>)>(),
    )
        .prop_map(
            |(components, duration, delivery, upid, (kind, num, expected, sub))| Segmented {
                components,
                duration,
                delivery,
                upid,
                kind: SegmentationType(kind),
                segment_num: num,
                segments_expected: expected,
                sub_segments: sub
                    .filter(|_| SegmentationType(kind).has_sub_segments())
                    .map(|(num, expected)| SubSegments { num, expected }),
            },
        );
    (any::<(u32, bool)>(), option::of(event)).prop_map(|((event_id, bit), event)| Segmentation {
        event_id,
        event_id_compliance_bit: bit,
        event,
    })
}

fn any_section() -> impl Strategy<Value = Section> {
    let clear = (
        any_command(),
        any::<bool>(),
        vec(any_descriptor(), 0..5),
        vec(any::<u8>(), 0..4),
    )
        .prop_map(|(command, legacy, descriptors, stuffing)| {
            let has_extent = !matches!(command, Command::Private { .. } | Command::Reserved { .. });
            Body::Clear {
                command,
                has_legacy_length: legacy && has_extent,
                descriptors,
                stuffing,
            }
        });
    let encrypted =
        (0..64_u8, 0..0x1000_u16, vec(any::<u8>(), 0..60)).prop_map(|(algorithm, command_length, bytes)| {
            Body::Encrypted {
                algorithm,
                command_length,
                bytes,
            }
        });
    (
        any::<(bool, bool, u8, u8)>(),
        (0..4_u8, any_pts(), 0..0x1000_u16),
        prop_oneof![9 => clear, 1 => encrypted],
    )
        .prop_map(
            |((syntax, private, protocol_version, cw_index), (sap_type, pts_adjustment, tier), body)| {
                Section {
                    has_section_syntax: syntax,
                    is_private: private,
                    sap_type,
                    protocol_version,
                    pts_adjustment,
                    cw_index,
                    tier,
                    body,
                }
            },
        )
}

proptest! {
    #[test]
    fn a_section_is_read_as_it_is_written(section in any_section(), behind in vec(any::<u8>(), 0..5)) {
        let mut bytes = section.encode().unwrap();
        bytes.extend(behind);
        prop_assert_eq!(Section::decode(&bytes), Ok(section));
    }

    #[test]
    fn any_bit_that_flips_is_found(section in any_section(), at in any::<prop::sample::Index>()) {
        let mut bytes = section.encode().unwrap();
        let bit = at.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Section::decode(&bytes).is_err(), "bit {}", bit);
    }

    #[test]
    fn a_section_that_is_cut_off_is_refused_wherever(section in any_section()) {
        let bytes = section.encode().unwrap();
        for end in 0..bytes.len() {
            prop_assert!(Section::decode(&bytes[..end]).is_err(), "cut at {}", end);
        }
    }

    /// With a CRC that fits, so that the fields are read.
    #[test]
    fn no_bytes_are_too_odd_to_be_refused(mut inner in vec(any::<u8>(), 0..120)) {
        let bytes = sealed(&mut inner);
        if let Ok(section) = Section::decode(&bytes) {
            let _ = Signal::read(&section, Openers::default());
            // A damaged descriptor in the middle of a loop may be written as several.
            let _ = section.encode();
        }
    }
}

/// A section around any bytes.
fn sealed(inner: &mut Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(inner.len() + 4).unwrap() | 0x3000;
    let mut bytes = vec![0xfc];
    bytes.extend(length.to_be_bytes());
    bytes.append(inner);
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    });
    bytes.extend(crc.to_be_bytes());
    bytes
}
