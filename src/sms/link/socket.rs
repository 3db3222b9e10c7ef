//! The socket of one connection, with TLS where it is spoken.

use std::io;

use tokio::net::TcpStream;

use super::tls::Tls;

pub(super) struct Socket {
    pub(super) stream: TcpStream,
    pub(super) tls: Option<Tls>,
}

impl Socket {
    /// Ends the connection in order, with a close_notify if the socket takes it at once.
    pub(super) fn close(mut self) {
        if let Some(tls) = &mut self.tls {
            tls.close(&self.stream);
        }
    }

    /// Ends the connection at once: the kernel drops what the SMSC has not read yet.
    pub(super) fn reset(self) {
        // Without it, what is still on its way may arrive after we have gone; nothing can be done about that.
        let _ = self.stream.set_zero_linger();
    }
}

/// Takes plain bytes as long as the socket takes what becomes of them; `WouldBlock` otherwise.
impl io::Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.try_write(&self.stream, bytes),
            None => self.stream.try_write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.tls.as_mut().map_or(Ok(true), |tls| tls.flush(&self.stream)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error),
        }
    }
}
