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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// A sender, and the accepted end of its connection.
    async fn pair(traffic: Traffic) -> (TcpStream, Socket) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (sender.unwrap(), Socket::new(accepted.unwrap().0, traffic))
    }

    /// Bytes come, and an answer goes: after a few of those the kernel lets acknowledgements travel with answers.
    async fn converse(sender: &mut TcpStream, socket: &mut Socket) {
        let mut byte = [0];
        for _ in 0..8 {
            sender.write_all(b"?").await.unwrap();
            socket.read_exact(&mut byte).await.unwrap();
            socket.write_all(b"!").await.unwrap();
            sender.read_exact(&mut byte).await.unwrap();
        }
    }

    /// Whether the kernel acknowledges at once just now, as it says itself.
    fn is_at_once(socket: &Socket) -> bool {
        socket2::SockRef::from(&socket.stream).tcp_quickack().unwrap()
    }

    #[tokio::test]
    async fn what_comes_of_a_body_is_acknowledged_at_once_however_often_the_kernel_forgets_it() {
        let traffic = Traffic::default();
        let _coming = traffic.coming(());
        let (mut sender, mut socket) = pair(traffic).await;
        let mut byte = [0];
        for _ in 0..4 {
            // Something is sent to the peer in between, an answer or a `100 Continue`.
            socket.write_all(b"!").await.unwrap();
            sender.read_exact(&mut byte).await.unwrap();
            sender.write_all(b"?").await.unwrap();
            socket.read_exact(&mut byte).await.unwrap();
            assert!(is_at_once(&socket));
        }
    }

    #[tokio::test]
    async fn a_connection_that_brings_no_body_keeps_the_kernels_own_ways() {
        let (mut sender, mut socket) = pair(Traffic::default()).await;
        converse(&mut sender, &mut socket).await;
        assert!(
            !is_at_once(&socket),
            "else the test beside this one shows nothing"
        );
    }
}
