//! Which rendition of a creative stands for one of a channel.

use core::cmp::Reverse;

use super::{Creative, Rendition, playlists::family};

impl Creative {
    /// The rendition that is shown where a channel has `name`, which is `wanted`: of the same kind and family of codecs;
    /// the one of that name, else of pictures the tallest that is not taller, or the least tall, and of those alike the
    /// one nearest in rate.
    pub fn like(&self, name: &str, wanted: &Rendition) -> Option<&Rendition> {
        let suits = |one: &Rendition| {
            let is_video = |one: &Rendition| matches!(one, Rendition::Video(_));
            is_video(one) == is_video(wanted) && family(one.codecs()) == family(wanted.codecs())
        };
        if let Some(own) = self.renditions.get(name).filter(|own| suits(own)) {
            return Some(own);
        }
        let others = self.renditions.values().filter(|one| suits(one));
        others.min_by_key(|one| {
            let (height, most) = (height(one), height(wanted));
            (
                height > most,
                height.abs_diff(most),
                one.bandwidth().abs_diff(wanted.bandwidth()),
                Reverse(one.bandwidth()),
            )
        })
    }
}

const fn height(rendition: &Rendition) -> u32 {
    match rendition {
        Rendition::Video(video) => video.height,
        Rendition::Audio(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creative(renditions: &str) -> Creative {
        let json =
            format!(r#"{{"version":1,"creative":"c","duration_us":1000000,"renditions":{{{renditions}}}}}"#);
        Creative::read(json.as_bytes()).unwrap()
    }

    fn video(name: &str, height: u32, codecs: &str) -> String {
        format!(
            r#""{name}":{{"kind":"video","codecs":"{codecs}","bandwidth":{height}000,"width":16,"height":{height},
            "frame_rate":25.0,"media":{{"segments":[[1000000,"{name}.m4s"]]}}}}"#
        )
    }

    #[test]
    fn a_rendition_stands_for_the_nearest_that_is_not_taller() {
        let ours = [
            video("a", 360, "avc1.1"),
            video("b", 720, "avc1.2"),
            video("c", 1080, "hvc1.1"),
        ];
        let creative_of_ours = creative(&ours.join(","));
        let like = |name: &str, height, codecs: &str| {
            let wanted = creative(&video(name, height, codecs));
            let found = creative_of_ours.like(name, &wanted.renditions[name]);
            found.map(|found| found.media().segments[0].uri.clone())
        };
        assert_eq!(like("v", 1080, "avc1.9").as_deref(), Some("b.m4s"));
        assert_eq!(like("v", 700, "avc1.9").as_deref(), Some("a.m4s"));
        assert_eq!(like("v", 200, "avc1.9").as_deref(), Some("a.m4s"));
        assert_eq!(
            like("a", 1080, "avc1.9").as_deref(),
            Some("a.m4s"),
            "its own name"
        );
        assert_eq!(like("v", 1080, "av01.0"), None);
    }
}
