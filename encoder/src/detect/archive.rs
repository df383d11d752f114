//! What viewers were sent: the variants of one rendition, in a folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use selvedge_watermark::pace::{BOX_LENGTH, PaceInfo, Position, SIDECAR_FOLDER, Sidecar, Variant};

use super::{
    DetectError,
    video::{Reader, Timed},
};

/// One rendition's segments, each as variant A and variant B.
#[derive(Debug)]
pub(super) struct Archive {
    folder: PathBuf,
    init: String,
    segments: Vec<Segment>,
}

/// A marked segment.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Its file, in the rendition's folder and in that of variant B.
    pub(super) file: String,
    /// Which bit it carries.
    pub(super) position: u16,
}

impl Archive {
    /// Reads the list of a rendition: that of this name in a channel's folder; without a name the one that suits best, or
    /// the folder's own.
    pub(super) fn open(folder: &Path, rendition: Option<&str>) -> Result<Self, DetectError> {
        let candidates = match rendition {
            Some(name) => vec![folder.join(name)],
            None if folder.join("b").is_dir() => vec![folder.to_owned()],
            None => marked_folders(folder)?,
        };
        let mut best: Option<(u32, Self)> = None;
        for candidate in candidates {
            let archive = Self::list(&candidate)?;
            let Some(segment) = archive.segments.first() else {
                continue;
            };
            let (width, _) = Reader::open(&archive.path(segment, Variant::A), WIDTH)?.coded();
            // Decoding more than is looked at takes time and tells little; less tells less.
            let is_better = best.as_ref().is_none_or(|(known, _)| {
                if *known >= ENOUGH {
                    (ENOUGH..*known).contains(&width)
                } else {
                    width > *known
                }
            });
            if is_better {
                best = Some((width, archive));
            }
        }
        best.map(|(_, archive)| archive)
            .ok_or_else(|| DetectError::NoSegments {
                folder: folder.display().to_string(),
            })
    }

    fn list(folder: &Path) -> Result<Self, DetectError> {
        let mut files: Vec<(Vec<u8>, String)> = names(folder)?
            .into_iter()
            .filter(|name| is_media(name) && !name.starts_with("init"))
            .map(|name| (order(&name), name))
            .collect();
        files.sort();
        let segments = files.into_iter().filter_map(|(_, file)| {
            let has_both = folder.join(Variant::B.path(&file)).is_file();
            let position = position(folder, &file)?.index().filter(|_| has_both)?;
            Some(Segment { file, position })
        });
        let init = names(folder)?
            .into_iter()
            .find(|name| name.starts_with("init") && is_media(name));
        Ok(Self {
            init: init.ok_or_else(|| DetectError::NoInit {
                folder: folder.display().to_string(),
            })?,
            segments: segments.collect(),
            folder: folder.to_owned(),
        })
    }

    /// The rendition's name.
    pub(super) fn rendition(&self) -> String {
        let name = self.folder.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The segments, in the order of time.
    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What FFmpeg opens to decode one segment alone.
    fn path(&self, segment: &Segment, variant: Variant) -> PathBuf {
        let of = |file: &str| self.folder.join(file).display().to_string();
        format!("concat:{}|{}", of(&self.init), of(&variant.path(&segment.file))).into()
    }

    /// The size of a segment's pictures as they are shown.
    pub(super) fn shape(&self, segment: &Segment) -> Result<(u32, u32), DetectError> {
        Ok(Reader::open(&self.path(segment, Variant::A), WIDTH)?.shape())
    }

    /// The pictures of a segment's variant, `width` pixels wide, in the order of time.
    pub(super) fn pictures(
        &self,
        segment: &Segment,
        variant: Variant,
        width: u32,
    ) -> Result<Vec<Timed>, DetectError> {
        let mut reader = Reader::open(&self.path(segment, variant), width)?;
        let mut pictures = Vec::new();
        while let Some(picture) = reader.next()? {
            pictures.push(picture);
        }
        pictures.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        Ok(pictures)
    }
}

/// The position of a segment: its sidecar says it, else a box in it, else the number in its name.
fn position(folder: &Path, file: &str) -> Option<Position> {
    if let Ok(bytes) = fs::read(folder.join(SIDECAR_FOLDER).join(file)) {
        match Sidecar::of_cbor(&bytes) {
            Ok(Sidecar::Discrete(segments)) => return segments.first().map(|segment| segment.position),
            _ => return None,
        }
    }
    let head = fs::read(folder.join(file)).ok()?;
    let head = &head[..head.len().min(HEAD)];
    let marked = head
        .windows(BOX_LENGTH)
        .find_map(|bytes| PaceInfo::of_box(bytes).ok());
    if let Some(pace) = marked {
        return Some(pace.position);
    }
    let digits: String = digits(file);
    digits.parse().ok().map(Position::of_slot)
}

/// The last number in a file's name, before the extension.
fn digits(file: &str) -> String {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let start = stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    stem[start..].to_owned()
}

/// Sorts names by their number, which may have any number of digits.
fn order(file: &str) -> Vec<u8> {
    let digits = digits(file);
    let digits = digits.trim_start_matches('0');
    let mut key = (digits.len() as u32).to_be_bytes().to_vec();
    key.extend_from_slice(digits.as_bytes());
    key.extend_from_slice(file.as_bytes());
    key
}

fn is_media(name: &str) -> bool {
    [".m4s", ".mp4", ".cmfv"].iter().any(|end| name.ends_with(end))
}

fn marked_folders(folder: &Path) -> Result<Vec<PathBuf>, DetectError> {
    let mut folders: Vec<PathBuf> = names(folder)?
        .into_iter()
        .map(|name| folder.join(name))
        .filter(|folder| folder.join("b").is_dir())
        .collect();
    folders.sort();
    Ok(folders)
}

fn names(folder: &Path) -> Result<Vec<String>, DetectError> {
    let failed = |error: std::io::Error| DetectError::Open {
        path: folder.display().to_string(),
        reason: error.to_string(),
    };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let names = entries.map(|entry| Ok(entry.map_err(failed)?.file_name().to_string_lossy().into_owned()));
    names.collect()
}

/// A rendition's width from which on nothing is gained by a larger one.
const ENOUGH: u32 = 640;

/// The width in which a rendition is opened to see its size.
const WIDTH: u32 = 64;

/// Where a segment's box stands at the latest, in bytes.
const HEAD: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_in_the_order_of_their_numbers_and_have_both_variants() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir_all(path.join("b")).unwrap();
        fs::create_dir_all(path.join(SIDECAR_FOLDER)).unwrap();
        for file in [
            "init.mp4",
            "9.m4s",
            "10.m4s",
            "32761.m4s",
            "11.m4s",
            "12.m4s",
            "note.txt",
        ] {
            fs::write(path.join(file), b"").unwrap();
            if file != "11.m4s" {
                fs::write(path.join("b").join(file), b"").unwrap();
            }
        }
        let sidecar = |position: i64| {
            let position = Position::new(position).unwrap();
            Sidecar::Discrete(vec![selvedge_watermark::pace::Discrete::at(position)]).to_cbor()
        };
        fs::write(path.join(SIDECAR_FOLDER).join("10.m4s"), sidecar(77)).unwrap();
        fs::write(path.join(SIDECAR_FOLDER).join("12.m4s"), sidecar(-1)).unwrap();
        let archive = Archive::list(path).unwrap();
        let found: Vec<_> = archive
            .segments()
            .iter()
            .map(|segment| (segment.file.as_str(), segment.position))
            .collect();
        assert_eq!(found, [("9.m4s", 9), ("10.m4s", 77), ("32761.m4s", 1)]);
        assert_eq!(archive.init, "init.mp4");
    }
}
