//! Handshakes under way, of which there may be so many and no more.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::oneshot;

/// The handshakes under way. Where one too many begins, the oldest ends: an honest one lasts for some round trips, so
/// the oldest of a thousand is one that means to last, and it holds up nobody.
#[derive(Clone, Debug)]
pub(crate) struct Handshakes(Arc<Mutex<UnderWay>>);

#[derive(Debug)]
struct UnderWay {
    limit: usize,
    next: u64,
    /// Dropping one ends the handshake.
    ends: BTreeMap<u64, oneshot::Sender<()>>,
    is_over: bool,
}

impl Handshakes {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(UnderWay {
            limit: limit.max(1),
            next: 0,
            ends: BTreeMap::new(),
            is_over: false,
        })))
    }

    /// Shakes hands, unless it takes so long that it has to make room: `None`.
    pub(crate) async fn shake<T>(&self, hands: impl Future<Output = T>) -> Option<T> {
        let (turn, ended) = self.begin()?;
        tokio::select! {
            biased;
            shaken = hands => { drop(turn); Some(shaken) }
            _ = ended => None,
        }
    }

    /// Ends all that are under way, and any that begins later.
    pub(crate) fn end(&self) {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.is_over = true;
        under_way.ends.clear();
    }

    fn begin(&self) -> Option<(Turn, oneshot::Receiver<()>)> {
        let (end, ended) = oneshot::channel();
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.is_over {
            return None;
        }
        let number = under_way.next;
        under_way.next += 1;
        under_way.ends.insert(number, end);
        if under_way.ends.len() > under_way.limit {
            under_way.ends.pop_first();
        }
        let turn = Turn {
            number,
            of: self.clone(),
        };
        Some((turn, ended))
    }
}

/// A handshake in the count of those under way, for as long as it lives.
#[derive(Debug)]
struct Turn {
    number: u64,
    of: Handshakes,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut under_way = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.ends.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn one_too_many_ends_the_oldest_and_leaves_the_others() {
        let handshakes = Handshakes::new(2);
        let endless = || {
            let handshakes = handshakes.clone();
            tokio::spawn(async move { handshakes.shake(pending::<()>()).await })
        };
        let (oldest, second) = (endless(), endless());
        tokio::task::yield_now().await;
        assert_eq!(handshakes.shake(ready(7)).await, Some(7));
        assert_eq!(oldest.await.unwrap(), None, "it made room");
        assert!(!second.is_finished());
        handshakes.end();
        assert_eq!(second.await.unwrap(), None);
        assert_eq!(
            handshakes.shake(ready(7)).await,
            None,
            "none begins after the end"
        );
    }

    #[tokio::test]
    async fn those_that_are_done_count_no_more() {
        let handshakes = Handshakes::new(1);
        for number in 0..10 {
            assert_eq!(handshakes.shake(ready(number)).await, Some(number));
        }
        assert!(handshakes.0.lock().unwrap().ends.is_empty());
    }
}
