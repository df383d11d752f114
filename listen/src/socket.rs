//! A socket that acknowledges at once what a sender waits to have acknowledged.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::traffic::Traffic;

/// An accepted connection.
///
/// Senders that write a chunk's length and its bytes one by one and leave Nagle's algorithm on (ffmpeg does) send the
/// second write once the first is acknowledged, and a kernel that has just sent something itself holds an
/// acknowledgement back for 40 ms. So while a body is coming, the kernel is told before each read to hold none back;
/// it forgets that, and has to be told again. Connections that bring no body pay nothing.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    traffic: Traffic,
    /// The kernel was told since the last read.
    is_prompt: bool,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, traffic: Traffic) -> Self {
        Self {
            stream,
            traffic,
            is_prompt: false,
        }
    }

    /// The first byte that the peer sent, which a later read gives again; `None` where it sent nothing and closed.
    pub(crate) async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        let length = self.stream.peek(&mut byte).await?;
        Ok(byte.first().copied().filter(|_| length > 0))
    }
}

#[cfg(target_os = "linux")]
fn acknowledge_at_once(stream: &TcpStream) {
    // A socket that cannot is slower, and no worse.
    let _ = socket2::SockRef::from(stream).set_tcp_quickack(true);
}

#[cfg(not(target_os = "linux"))]
fn acknowledge_at_once(_stream: &TcpStream) {}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_prompt && self.traffic.is_bringing() {
            acknowledge_at_once(&self.stream);
            self.is_prompt = true;
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.is_prompt = false;
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
