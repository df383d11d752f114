//! `WMPaceInfoIngest`: JSON in a request header.

use serde::{Deserialize, Serialize};

use super::{INGEST_HEADER, PaceError, PaceInfo, Position, Variant};

/// Longest header that is read, in bytes: the members of the standard take 78.
const MAX_HEADER: usize = 1024;

/// The header's members. Others are ignored, for encoders add their own.
#[derive(Deserialize, Serialize)]
struct Members {
    version: u8,
    variant: u64,
    position: i64,
    firstpart: bool,
    lastpart: bool,
}

impl PaceInfo {
    /// The value of the header `WMPaceInfoIngest`.
    pub fn to_header(self) -> String {
        format!(
            r#"{{"version":1,"variant":{},"position":{},"firstpart":{},"lastpart":{}}}"#,
            self.variant.number(),
            self.position,
            self.first_part,
            self.last_part
        )
    }

    /// Reads the value of the header `WMPaceInfoIngest`.
    ///
    /// # Errors
    /// It is no JSON object with these members, or one of them is out of range.
    pub fn of_header(value: &str) -> Result<Self, PaceError> {
        let wrong = |what: String| PaceError::Header {
            header: INGEST_HEADER,
            what,
        };
        if value.len() > MAX_HEADER {
            return Err(wrong(format!("longer than {MAX_HEADER} bytes")));
        }
        let members: Members = serde_json::from_str(value)
            .map_err(|error| wrong(format!("not the JSON that it should be: {error}")))?;
        if members.version != 1 {
            return Err(wrong(format!("version is {}, only 1 is known", members.version)));
        }
        let variant = Variant::of_number(members.variant)
            .ok_or_else(|| wrong(format!("variant is {}, only 0 and 1 are known", members.variant)))?;
        let position = Position::new(members.position).ok_or_else(|| {
            wrong(format!(
                "position is {}, not within -1 to 32766",
                members.position
            ))
        })?;
        Ok(Self {
            variant,
            position,
            first_part: members.firstpart,
            last_part: members.lastpart,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_header_is_that_of_the_standard() {
        let text = r#"{"version":1,"variant":0,"position":33,"firstpart":true,"lastpart":true}"#;
        let info = PaceInfo::whole(Variant::A, Position::new(33).unwrap());
        assert_eq!(PaceInfo::of_header(text), Ok(info));
        assert_eq!(info.to_header(), text);
    }

    #[test]
    fn members_of_an_encoders_own_are_ignored() {
        let text = r#" {"lastpart":false, "position":-1, "x-core":"9", "variant":1, "firstpart":true, "version":1} "#;
        let info = PaceInfo::of_header(text).unwrap();
        assert_eq!((info.variant, info.position), (Variant::B, Position::UNMARKED));
        assert!(info.first_part && !info.last_part);
    }

    #[test]
    fn what_is_wrong_is_said_and_where() {
        let with = |member: &str, value: &str| {
            let mut object: serde_json::Value =
                serde_json::from_str(&PaceInfo::whole(Variant::A, Position::UNMARKED).to_header()).unwrap();
            object[member] = serde_json::from_str(value).unwrap();
            PaceInfo::of_header(&object.to_string()).unwrap_err().to_string()
        };
        assert_eq!(
            with("version", "2"),
            "WMPaceInfoIngest: version is 2, only 1 is known"
        );
        assert_eq!(
            with("variant", "2"),
            "WMPaceInfoIngest: variant is 2, only 0 and 1 are known"
        );
        assert_eq!(
            with("position", "32767"),
            "WMPaceInfoIngest: position is 32767, not within -1 to 32766"
        );
        assert!(with("firstpart", "1").contains("expected a boolean"));
        assert!(PaceInfo::of_header("").is_err());
        assert!(PaceInfo::of_header(&" ".repeat(MAX_HEADER + 1)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(b in any::<bool>(), position in -1_i64..=32_766, first_part in any::<bool>(), last_part in any::<bool>()) {
            let info = PaceInfo {
                variant: Variant::of_bit(b),
                position: Position::new(position).unwrap(),
                first_part,
                last_part,
            };
            prop_assert_eq!(PaceInfo::of_header(&info.to_header()), Ok(info));
        }
    }
}
