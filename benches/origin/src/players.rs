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

use crate::{Failure, answer::Answer, playlist::Edge, push::Ledger};

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
    known: VecDeque<(Vec<u8>, Rc<Edge>)>,
    /// Part of the encoder's ledger = count of the edge minus this.
    base: i64,
}

impl Channel {
    /// Reads a playlist. One of each part is read, the others are compared with it.
    fn edge(&mut self, body: &[u8]) -> Option<Rc<Edge>> {
        let known = self.known.iter().rev().find(|(known, _)| known == body);
        if let Some((_, edge)) = known {
            return Some(Rc::clone(edge));
        }
        let edge = Rc::new(std::str::from_utf8(body).ok().and_then(Edge::read)?);
        if self.known.len() == 8 {
            self.known.pop_front();
        }
        self.known.push_back((body.to_vec(), Rc::clone(&edge)));
        Some(edge)
    }
}

struct Player {
    stream: TcpStream,
    channel: usize,
    asked: Instant,
    /// When the first byte of the answer that is coming came.
    first: Option<Instant>,
    answer: Answer,
    wants: Wants,
    /// What the last playlist said.
    edge: Option<Rc<Edge>>,
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
                wants: Wants::Playlist,
                edge: None,
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
            let edge = channel
                .edge(&body)
                .filter(|_| status == 200)
                .ok_or_else(|| format!("{}: {status}, no playlist", channel.view.path))?;
            channel.base = channel.base.max(edge.count(self.habit.parts) as i64 - out as i64);
            for player in self.players.iter_mut().filter(|player| player.channel == at) {
                player.edge = Some(Rc::clone(&edge));
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
        let channel = &self.channels[player.channel];
        let edge = player.edge.as_ref().ok_or("no playlist was read before")?;
        let path = &channel.view.path;
        let request = match (wants, &edge.newest) {
            (Wants::Part, Some(newest)) => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("GET {folder}/{newest} HTTP/1.1\r\nHost: origin\r\n\r\n")
            }
            _ => format!(
                "GET {path}?_HLS_msn={}&_HLS_part={} HTTP/1.1\r\nHost: origin\r\n\r\n",
                edge.segment, edge.part
            ),
        };
        player.wants = wants;
        player.first = None;
        player.answer.clear();
        player.asked = Instant::now();
        // A socket that is not full takes a request whole.
        player.stream.write_all(request.as_bytes())?;
        Ok(())
    }

    fn read(&mut self, at: usize) -> Result<(), Failure> {
        loop {
            let player = &mut self.players[at];
            let length = match player.stream.read(&mut self.buffer) {
                Ok(0) => return Err("the server closed a player's connection".into()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let bytes = self.buffer.get(..length).unwrap_or_default();
            if player.answer.take(bytes)? {
                let next = self.answered(at)?;
                self.ask(at, next)?;
            }
        }
    }

    /// Takes an answer in, and says what is asked for next.
    fn answered(&mut self, at: usize) -> Result<Wants, Failure> {
        let player = &mut self.players[at];
        let channel = &mut self.channels[player.channel];
        if player.answer.status() != 200 {
            let text = String::from_utf8_lossy(player.answer.whole()).into_owned();
            return Err(format!("a player was refused: {text}").into());
        }
        self.seen.answers += u64::from(self.measuring);
        if player.wants == Wants::Part {
            return Ok(Wants::Playlist);
        }
        let edge = channel.edge(player.answer.body());
        let edge = edge.ok_or("an answer that is no playlist")?;
        let parts = self.habit.parts;
        let count = edge.count(parts);
        if player
            .edge
            .as_ref()
            .is_some_and(|before| before.count(parts) > count)
        {
            return Err("a playlist went back".into());
        }
        player.edge = Some(edge);
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
                self.seen.sample = player.answer.whole().to_vec();
            }
        }
        Ok(if self.habit.fetches_parts {
            Wants::Part
        } else {
            Wants::Playlist
        })
    }
}
