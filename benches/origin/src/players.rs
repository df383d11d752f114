//! Players by the thousand, in one thread.
//!
//! While a wave of answers arrives, the thread notes times and does nothing else; when the wave is over, it reads what
//! came and every player asks for the next part. That is what a round trip of some milliseconds would make of it, and
//! it leaves the cores to the server. [`Manner::AtOnce`] has each player read and ask as soon as its answer arrives.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::{
    Failure,
    answer::{Answer, Head},
    playlist::Edge,
    push::Ledger,
};

/// When a player that was answered asks again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Manner {
    /// When the answers of the others are there too.
    AfterTheWave,
    /// Within the wave.
    AtOnce,
}

/// What a player does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habit {
    pub(crate) manner: Manner,
    /// Fetches each new part as well.
    pub(crate) fetches_parts: bool,
    /// Parts in a segment.
    pub(crate) parts: u32,
}

/// A rendition's media playlist.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) at: SocketAddr,
    /// Path of the playlist.
    pub(crate) path: String,
}

/// What was seen in one run.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Answers in all.
    pub(crate) answers: u64,
    /// Of playlists that were not waited for: the part was there already.
    pub(crate) late: u64,
    /// For each part of each track: how long after its last byte the first byte of each answer came.
    pub(crate) waves: Vec<Vec<Duration>>,
    /// An answer, as it came.
    pub(crate) sample: Vec<u8>,
}

/// A rendition, and what its newest playlists say: a slow answer may list less than the one before it.
struct Channel {
    view: View,
    known: VecDeque<(Vec<u8>, Rc<Next>)>,
    /// Part of the encoder's ledger = count of the edge minus this.
    base: i64,
}

/// What a playlist says of what comes next, and the requests that follow from it: those who read the same ask the same.
struct Next {
    edge: Edge,
    /// Asks for the next playlist.
    playlist: Vec<u8>,
    /// Asks for the newest part; empty where there is none.
    part: Vec<u8>,
}

impl Channel {
    /// Reads a playlist. One of each part is read, the others are compared with it.
    fn next(&mut self, body: &[u8]) -> Option<Rc<Next>> {
        let known = self.known.iter().rev().find(|(known, _)| known == body);
        if let Some((_, next)) = known {
            return Some(Rc::clone(next));
        }
        let edge = std::str::from_utf8(body).ok().and_then(Edge::read)?;
        let path = &self.view.path;
        let get = |target: String| format!("GET {target} HTTP/1.1\r\nHost: origin\r\n\r\n").into_bytes();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let part = edge
            .newest
            .as_ref()
            .map(|newest| get(format!("{folder}/{newest}")));
        let next = Rc::new(Next {
            playlist: get(format!(
                "{path}?_HLS_msn={}&_HLS_part={}",
                edge.segment, edge.part
            )),
            part: part.unwrap_or_default(),
            edge,
        });
        if self.known.len() == 8 {
            self.known.pop_front();
        }
        self.known.push_back((body.to_vec(), Rc::clone(&next)));
        Some(next)
    }
}

struct Player {
    stream: TcpStream,
    channel: usize,
    asked: Instant,
    /// When the first byte of the answer that is coming came.
    first: Option<Instant>,
    /// As much of an answer as has come; most come whole and are never kept.
    answer: Answer,
    /// Bytes of a part that are still to come.
    left: usize,
    wants: Wants,
    /// What the last playlist said.
    next: Option<Rc<Next>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wants {
    Playlist,
    Part,
}

/// The players, connected.
pub(crate) struct Players<'a> {
    poll: Poll,
    players: Vec<Player>,
    channels: Vec<Channel>,
    habit: Habit,
    ledger: &'a Ledger,
    seen: Seen,
    buffer: Vec<u8>,
    /// Waves by channel and part.
    waves: Vec<Vec<Vec<Duration>>>,
    measuring: bool,
}

impl<'a> Players<'a> {
    /// Connects `count` players, in turns to each view.
    pub(crate) fn connect(
        views: &[View],
        count: usize,
        habit: Habit,
        ledger: &'a Ledger,
    ) -> Result<Self, Failure> {
        let poll = Poll::new()?;
        let channels: Vec<_> = views
            .iter()
            .map(|view| Channel {
                view: view.clone(),
                known: VecDeque::new(),
                base: i64::MIN,
            })
            .collect();
        let mut players = Vec::with_capacity(count);
        for at in 0..count {
            let channel = at % views.len();
            // Blocking, so that no backlog overflows.
            let stream = std::net::TcpStream::connect(channels[channel].view.at)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(at), Interest::READABLE)?;
            players.push(Player {
                stream,
                channel,
                asked: Instant::now(),
                first: None,
                answer: Answer::default(),
                left: 0,
                wants: Wants::Playlist,
                next: None,
            });
        }
        let waves = vec![Vec::new(); views.len()];
        Ok(Self {
            poll,
            players,
            channels,
            habit,
            ledger,
            seen: Seen::default(),
            buffer: vec![0; 1 << 20],
            waves,
            measuring: false,
        })
    }

    /// Learns where each rendition stands. To be called some times, each when no part is on its way: a playlist may
    /// be behind what was sent, and never before it.
    pub(crate) fn look(&mut self) -> Result<(), Failure> {
        for (at, channel) in self.channels.iter_mut().enumerate() {
            let out = self.ledger.parts(at);
            let (status, body) = crate::server::get(channel.view.at, &channel.view.path)?;
            if self.ledger.parts(at) != out {
                continue;
            }
            let next = channel
                .next(&body)
                .filter(|_| status == 200)
                .ok_or_else(|| format!("{}: {status}, no playlist", channel.view.path))?;
            let count = next.edge.count(self.habit.parts) as i64;
            channel.base = channel.base.max(count - out as i64);
            for player in self.players.iter_mut().filter(|player| player.channel == at) {
                player.next = Some(Rc::clone(&next));
            }
        }
        Ok(())
    }

    /// Every player asks for the next part.
    pub(crate) fn ask_all(&mut self) -> Result<(), Failure> {
        (0..self.players.len()).try_for_each(|at| self.ask(at, Wants::Playlist))
    }

    /// Lets them play, measured or not.
    pub(crate) fn play(&mut self, time: Duration, measuring: bool) -> Result<(), Failure> {
        self.measuring = measuring;
        let until = Instant::now() + time;
        let mut events = Events::with_capacity(match self.habit.manner {
            Manner::AfterTheWave => 8_192,
            // Few, so that none waits long for its time to be noted.
            Manner::AtOnce => 32,
        });
        let mut arrived = Vec::new();
        let mut begun = None;
        loop {
            let quiet = if arrived.is_empty() { 50 } else { 3 };
            self.poll.poll(&mut events, Some(Duration::from_millis(quiet)))?;
            let now = Instant::now();
            for event in &events {
                let at = event.token().0;
                let player = &mut self.players[at];
                if player.first.is_none() {
                    player.first = Some(now);
                }
                arrived.push(at);
            }
            let is_over = match self.habit.manner {
                Manner::AtOnce => true,
                Manner::AfterTheWave => {
                    let begun = *begun.get_or_insert(now);
                    events.is_empty() || now - begun > Duration::from_millis(60)
                }
            };
            if is_over {
                begun = None;
                for at in std::mem::take(&mut arrived) {
                    self.read(at)?;
                }
                if now > until {
                    return Ok(());
                }
            }
        }
    }

    /// What was seen.
    pub(crate) fn leave(mut self) -> Seen {
        self.seen.waves = self
            .waves
            .into_iter()
            .flatten()
            .filter(|wave| !wave.is_empty())
            .collect();
        self.seen
    }

    fn ask(&mut self, at: usize, wants: Wants) -> Result<(), Failure> {
        let player = &mut self.players[at];
        let next = player.next.as_ref().ok_or("no playlist was read before")?;
        let request = match wants {
            Wants::Part if !next.part.is_empty() => &next.part,
            _ => &next.playlist,
        };
        player.wants = wants;
        player.first = None;
        player.asked = Instant::now();
        // A socket that is not full takes a request whole.
        player.stream.write_all(request)?;
        Ok(())
    }

    fn read(&mut self, at: usize) -> Result<(), Failure> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = self.read_into(at, &mut buffer);
        self.buffer = buffer;
        outcome
    }

    /// Reads what there is. The buffer is larger than all that comes at once, so that one read takes it, and an edge
    /// of the poll tells of what comes later.
    fn read_into(&mut self, at: usize, buffer: &mut [u8]) -> Result<(), Failure> {
        let player = &mut self.players[at];
        let length = match player.stream.read(buffer) {
            Ok(0) => return Err("the server closed a player's connection".into()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        if player.left > 0 {
            player.left = player.left.saturating_sub(length);
            return if player.left > 0 {
                Ok(())
            } else {
                self.part_came(at)
            };
        }
        if !player.answer.is_empty() {
            if !player.answer.take(bytes)? {
                return Ok(());
            }
            let whole = player.answer.take_whole();
            return match Head::read(&whole)? {
                Some(head) => self.answered(at, head, &whole),
                None => Ok(()),
            };
        }
        match Head::read(bytes)? {
            Some(head) if head.length + head.body <= length => self.answered(at, head, bytes),
            Some(head) if player.wants == Wants::Part && head.status == 200 => {
                player.left = head.length + head.body - length;
                Ok(())
            }
            _ => player.answer.take(bytes).map(|_| ()).map_err(Failure::from),
        }
    }

    fn part_came(&mut self, at: usize) -> Result<(), Failure> {
        self.seen.answers += u64::from(self.measuring);
        self.ask(at, Wants::Playlist)
    }

    /// Takes an answer in, and asks for what comes next.
    fn answered(&mut self, at: usize, head: Head, whole: &[u8]) -> Result<(), Failure> {
        let player = &mut self.players[at];
        let channel = &mut self.channels[player.channel];
        if head.status != 200 {
            let text = String::from_utf8_lossy(whole);
            return Err(format!("a player was refused: {text}").into());
        }
        if player.wants == Wants::Part {
            return self.part_came(at);
        }
        self.seen.answers += u64::from(self.measuring);
        let next = channel.next(whole.get(head.length..).unwrap_or_default());
        let next = next.ok_or("an answer that is no playlist")?;
        let parts = self.habit.parts;
        let count = next.edge.count(parts);
        if player
            .next
            .as_ref()
            .is_some_and(|before| before.edge.count(parts) > count)
        {
            return Err("a playlist went back".into());
        }
        player.next = Some(next);
        let out = self.ledger.parts(player.channel) as i64;
        if !self.measuring {
            // A playlist that was behind at each look is seen to be so now.
            channel.base = channel.base.max(count as i64 - out);
        }
        let part = usize::try_from(count as i64 - channel.base - 1)?;
        let Some(out) = self.ledger.at(player.channel, part) else {
            return Err(format!("{}: a part that was not sent is listed", channel.view.path).into());
        };
        if self.measuring {
            if player.asked < out {
                let first = player.first.unwrap_or(out);
                let waves = &mut self.waves[player.channel];
                if waves.len() <= part {
                    waves.resize(part + 1, Vec::new());
                }
                waves[part].push(first.saturating_duration_since(out));
            } else {
                self.seen.late += 1;
            }
            if self.seen.sample.is_empty() {
                self.seen.sample = whole.to_vec();
            }
        }
        self.ask(
            at,
            match self.habit.fetches_parts {
                true => Wants::Part,
                false => Wants::Playlist,
            },
        )
    }
}
