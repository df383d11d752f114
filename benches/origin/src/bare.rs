//! What no server can do without: one thread that writes the same bytes to the same sockets.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};

use crate::{Failure, precedence::Precedence};

/// What the loop took.
#[derive(Debug, Default)]
pub(crate) struct Bare {
    /// For each round: how long after its start the first byte was there at each socket.
    pub(crate) waves: Vec<Vec<Duration>>,
    /// For each round: from the first write to the return of the last.
    pub(crate) rounds: Vec<Duration>,
    /// Processor time of the writing thread.
    pub(crate) processor: Duration,
}

/// Writes `bytes` to `count` sockets, `rounds` times, `pause` apart.
pub(crate) fn measure(bytes: &[u8], count: usize, rounds: u32, pause: Duration) -> Result<Bare, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let at = listener.local_addr()?;
    let writer = thread::spawn({
        let bytes = bytes.to_vec();
        move || write(&listener, &bytes, count, rounds, pause)
    });
    let waves = {
        let _first = Precedence::of_this_thread();
        receive(at, count, bytes.len(), rounds)?
    };
    let (starts, ends, processor) = writer.join().map_err(|_| "the writing thread failed")??;
    Ok(Bare {
        waves: waves
            .into_iter()
            .zip(&starts)
            .map(|(wave, start)| {
                wave.into_iter()
                    .map(|at| at.saturating_duration_since(*start))
                    .collect()
            })
            .collect(),
        rounds: starts.iter().zip(ends).map(|(start, end)| end - *start).collect(),
        processor,
    })
}

type Written = (Vec<Instant>, Vec<Instant>, Duration);

fn write(
    listener: &TcpListener,
    bytes: &[u8],
    count: usize,
    rounds: u32,
    pause: Duration,
) -> Result<Written, std::io::Error> {
    let mut streams = (0..count)
        .map(|_| {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })
        .collect::<Result<Vec<TcpStream>, std::io::Error>>()?;
    let used = thread_time();
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        thread::sleep(pause);
        starts.push(Instant::now());
        for stream in &mut streams {
            stream.write_all(bytes)?;
        }
        ends.push(Instant::now());
    }
    Ok((starts, ends, thread_time() - used))
}

fn receive(at: SocketAddr, count: usize, length: usize, rounds: u32) -> Result<Vec<Vec<Instant>>, Failure> {
    let mut poll = Poll::new()?;
    let mut streams = Vec::with_capacity(count);
    for index in 0..count {
        let stream = TcpStream::connect(at)?;
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        poll.registry()
            .register(&mut stream, Token(index), Interest::READABLE)?;
        streams.push(stream);
    }
    let mut events = Events::with_capacity(8_192);
    let mut buffer = vec![0; length.max(1)];
    let mut waves = Vec::new();
    let mut firsts = vec![None; count];
    for _ in 0..rounds {
        // As the players do it: times first, all reading when everything is there.
        while firsts.iter().any(Option::is_none) {
            poll.poll(&mut events, Some(Duration::from_secs(10)))?;
            let now = Instant::now();
            if events.is_empty() {
                return Err("the bare loop lost an answer".into());
            }
            for event in &events {
                if let Some(first) = firsts.get_mut(event.token().0) {
                    first.get_or_insert(now);
                }
            }
        }
        for stream in &mut streams {
            let mut left = length;
            while left > 0 {
                match stream.read(&mut buffer) {
                    Ok(0) => return Err("the bare loop ended early".into()),
                    Ok(taken) => left = left.saturating_sub(taken),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => thread::yield_now(),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        waves.push(firsts.iter_mut().filter_map(Option::take).collect());
    }
    Ok(waves)
}

/// Processor time of this thread.
pub(crate) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
