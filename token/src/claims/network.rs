//! `catnip`: the networks that a client may come from (CTA-5007-B §4.6.9, RFC 9164).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::truth::Truth;
use crate::cbor::{Item, Reader};

/// The claim: one of its entries must be the client's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Networks(Vec<Network>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Network {
    /// The addresses that begin with the first `length` bits of `base`. A lone address has all bits.
    Prefix { base: IpAddr, length: u8 },
    /// An autonomous system.
    System(u32),
}

/// CBOR tags of RFC 9164 §6.
const TAG_IPV4: u64 = 52;
const TAG_IPV6: u64 = 54;

impl Networks {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        let Ok(Item::Array(length)) = reader.next() else {
            return Err("expected a list of addresses, prefixes and AS numbers");
        };
        // As many as a token holds: every entry takes a byte at least, and the list grows as they are read.
        let mut networks = Vec::new();
        for _ in 0..length {
            networks.push(Network::read(reader)?);
        }
        Ok(Self(networks))
    }

    /// Judges a client. An empty list allows none.
    pub(crate) fn judge(&self, address: Option<IpAddr>, asn: Option<u32>) -> Truth {
        let address = address.map(|address| address.to_canonical());
        Truth::any(self.0.iter().map(|network| match network {
            Network::Prefix { base, length } => address.map_or(Truth::Unknown, |address| {
                Truth::known(begins_alike(*base, address, *length))
            }),
            Network::System(system) => asn.map_or(Truth::Unknown, |asn| Truth::known(asn == *system)),
        }))
    }
}

impl Network {
    fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        let family = match reader.next() {
            Ok(Item::Tag(TAG_IPV4)) => 4,
            Ok(Item::Tag(TAG_IPV6)) => 16,
            Ok(Item::Integer(number)) => {
                let number = u32::try_from(number).map_err(|_| "an AS number has 32 bits")?;
                return Ok(Self::System(number));
            }
            _ => return Err("expected an address or prefix under tag 52 or 54, or an AS number"),
        };
        match reader.next() {
            Ok(Item::Bytes(bytes)) if bytes.len() == family => Ok(Self::prefix(family, bytes, family * 8)),
            Ok(Item::Array(2)) => match (reader.next(), reader.next()) {
                (Ok(Item::Integer(length)), Ok(Item::Bytes(bytes))) => {
                    let length = usize::try_from(length)
                        .ok()
                        .filter(|length| *length <= family * 8);
                    let length = length.ok_or("a prefix longer than its address")?;
                    if bytes.len() > family {
                        return Err("a prefix of too many bytes");
                    }
                    if !zero_behind(bytes, length) {
                        // RFC 9164 §4: otherwise one prefix could be written in many ways.
                        return Err("a prefix with bits behind its length");
                    }
                    Ok(Self::prefix(family, bytes, length))
                }
                _ => Err("a prefix is its length and its bytes"),
            },
            _ => Err("an address has 4 bytes under tag 52 and 16 under tag 54"),
        }
    }

    /// `bytes` may be fewer than the family's: trailing zeros are left out (RFC 9164 §4) or not.
    fn prefix(family: usize, bytes: &[u8], length: usize) -> Self {
        let mut padded = [0; 16];
        padded.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let [a, b, c, d, ..] = padded;
        let bits = u8::try_from(length).unwrap_or(u8::MAX);
        if family == 4 {
            return Self::Prefix {
                base: Ipv4Addr::new(a, b, c, d).into(),
                length: bits,
            };
        }
        // Clients with an IPv4-mapped address are compared as IPv4: so must entries be.
        let base = Ipv6Addr::from(padded);
        match (base.to_ipv4_mapped(), bits.checked_sub(96)) {
            (Some(mapped), Some(length)) => Self::Prefix {
                base: mapped.into(),
                length,
            },
            _ => Self::Prefix {
                base: base.into(),
                length: bits,
            },
        }
    }
}

/// Whether all bits from `length` on are zero.
fn zero_behind(bytes: &[u8], length: usize) -> bool {
    let whole = length / 8;
    let within = bytes.get(whole).is_none_or(|byte| byte << (length % 8) == 0);
    within && bytes.iter().skip(whole + 1).all(|byte| *byte == 0)
}

fn begins_alike(base: IpAddr, address: IpAddr, length: u8) -> bool {
    // A shift by the whole width is none at all.
    let differing = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            let differing = base.to_bits() ^ address.to_bits();
            u128::from(differing.checked_shr(32 - u32::from(length)).unwrap_or(0))
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            let differing = base.to_bits() ^ address.to_bits();
            differing.checked_shr(128 - u32::from(length)).unwrap_or(0)
        }
        _ => return false,
    };
    differing == 0
}

#[cfg(test)]
mod tests {
    use ciborium::Value;
    use proptest::prelude::*;

    use super::*;

    fn read(value: &Value) -> Result<Networks, &'static str> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        Networks::read(&mut Reader::new(&bytes))
    }

    fn list(entries: Vec<Value>) -> Result<Networks, &'static str> {
        read(&Value::Array(entries))
    }

    fn address(tag: u64, bytes: &[u8]) -> Value {
        Value::Tag(tag, Box::new(bytes.into()))
    }

    fn prefix(tag: u64, length: i64, bytes: &[u8]) -> Value {
        Value::Tag(tag, Box::new(vec![Value::from(length), bytes.into()].into()))
    }

    fn from(networks: &Networks, client: &str) -> Truth {
        networks.judge(Some(client.parse().unwrap()), None)
    }

    #[test]
    fn a_prefix_admits_its_addresses_however_it_is_padded() {
        for bytes in [&[10][..], &[10, 0, 0, 0]] {
            let networks = list(vec![prefix(52, 8, bytes)]).unwrap();
            assert_eq!(from(&networks, "10.255.0.1"), Truth::Holds);
            assert_eq!(from(&networks, "11.0.0.1"), Truth::Fails);
            assert_eq!(from(&networks, "::1"), Truth::Fails);
        }
        let unaligned = list(vec![prefix(54, 61, &[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0x10])]).unwrap();
        assert_eq!(from(&unaligned, "2001:db8:0:17::9"), Truth::Holds);
        assert_eq!(from(&unaligned, "2001:db8:0:18::9"), Truth::Fails);
    }

    #[test]
    fn a_prefix_of_no_bits_admits_its_family() {
        let networks = list(vec![prefix(52, 0, &[])]).unwrap();
        assert_eq!(from(&networks, "198.51.100.7"), Truth::Holds);
        assert_eq!(from(&networks, "2001:db8::1"), Truth::Fails);
    }

    #[test]
    fn an_address_admits_itself() {
        let networks = list(vec![address(52, &[192, 0, 2, 1])]).unwrap();
        assert_eq!(from(&networks, "192.0.2.1"), Truth::Holds);
        assert_eq!(from(&networks, "192.0.2.2"), Truth::Fails);
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address_on_either_side() {
        let networks = list(vec![prefix(52, 8, &[10])]).unwrap();
        assert_eq!(from(&networks, "::ffff:10.1.2.3"), Truth::Holds);
        let mapped: Ipv6Addr = "::ffff:10.1.0.0".parse().unwrap();
        let networks = list(vec![prefix(54, 112, &mapped.octets())]).unwrap();
        assert_eq!(from(&networks, "10.1.2.3"), Truth::Holds);
        assert_eq!(from(&networks, "::ffff:10.2.2.3"), Truth::Fails);
    }

    #[test]
    fn entries_are_alternatives_and_what_is_not_known_matters_only_where_none_holds() {
        let networks = list(vec![prefix(52, 8, &[10]), 64512.into()]).unwrap();
        let inside = Some(IpAddr::from([10, 0, 0, 1]));
        let outside = Some(IpAddr::from([11, 0, 0, 1]));
        assert_eq!(networks.judge(inside, None), Truth::Holds);
        assert_eq!(networks.judge(None, Some(64512)), Truth::Holds);
        assert_eq!(networks.judge(outside, Some(1)), Truth::Fails);
        assert_eq!(networks.judge(outside, None), Truth::Unknown);
        assert_eq!(networks.judge(None, Some(1)), Truth::Unknown);
        assert_eq!(list(vec![]).unwrap().judge(None, None), Truth::Fails);
    }

    #[test]
    fn what_rfc_9164_does_not_allow_is_malformed() {
        for bad in [
            address(52, &[10, 0, 0]),
            address(52, &[0; 16]),
            address(54, &[10, 0, 0, 1]),
            address(260, &[10, 0, 0, 1]),
            prefix(52, 33, &[10]),
            prefix(54, 129, &[0x20]),
            prefix(52, -1, &[10]),
            prefix(52, 8, &[10, 0, 0, 0, 0]),
            prefix(52, 8, &[10, 1]),
            prefix(52, 12, &[10, 0x18]),
            // The interface form: an address and the length of its network.
            Value::Tag(
                52,
                Box::new(vec![Value::from([10, 0, 0, 1].as_slice()), 8.into()].into()),
            ),
            Value::Tag(52, Box::new("10.0.0.1".into())),
            [10, 0, 0, 1].as_slice().into(),
            "10.0.0.1".into(),
            4_294_967_296_i64.into(),
            (-1).into(),
            64512.5.into(),
            vec![Value::from(64512), 64513.into()].into(),
        ] {
            // Also beside an entry that would hold.
            assert!(list(vec![prefix(52, 0, &[]), bad.clone()]).is_err(), "{bad:?}");
        }
        assert!(read(&prefix(52, 8, &[10])).is_err());
    }

    proptest! {
        #[test]
        fn a_prefix_agrees_with_counting_equal_bits(base in any::<u128>(), client in any::<u128>(), shared in 0_u32..=128, length in 0_u8..=128) {
            // Far apart, two random addresses would never share a prefix.
            let keep = u128::MAX.checked_shl(128 - shared).unwrap_or(0);
            let client = (base & keep) | (client & !keep);
            let masked = base & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            let networks = list(vec![prefix(54, length.into(), &masked.to_be_bytes())]).unwrap();
            let due = (base ^ client).leading_zeros() >= u32::from(length);
            // Mapped addresses are of the other family.
            prop_assume!(Ipv6Addr::from(client).to_ipv4_mapped().is_none());
            prop_assert_eq!(networks.judge(Some(Ipv6Addr::from(client).into()), None), Truth::known(due));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Networks::read(&mut Reader::new(&bytes));
        }
    }
}
