//! `otp-loadtest submit`: an ESME that loads an SMSC. It submits as fast as its window allows, answers the
//! receipts, and prints how long that took.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use clap::Args;
use smpp::codec;
use smpp::frame::{self, COMMAND_LENGTH_MAX};
use smpp::pdu::{
    Address, Bind, Body, DeliverSmResp, FINAL_RECEIPT, NO_RECEIPT, Pdu, SequenceNumber, SubmitSm,
};
use smpp::text::gsm7;

use crate::clock;
use crate::cpu;
use crate::failure::Failure;

/// Sequence number 1 is the bind's.
const FIRST_SUBMIT: u32 = 2;

#[derive(Clone, Debug, Args)]
pub(crate) struct Submit {
    /// Where the SMSC is
    #[arg(long, default_value = "127.0.0.1:2775")]
    smpp: SocketAddr,

    #[arg(long, default_value = "gateway")]
    system_id: String,

    #[arg(long)]
    password: String,

    /// Messages to submit
    #[arg(long, default_value_t = 100_000)]
    count: u32,

    /// Submits that may be unanswered
    #[arg(long, default_value_t = 200)]
    window: u32,

    /// Handsets that the messages go to, in turn
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    numbers: u32,

    /// Ask for no delivery receipts
    #[arg(long)]
    no_receipts: bool,

    /// What the messages say
    #[arg(
        long,
        default_value = "Bank Contoh: 482913 untuk Rp1.250.000 ke PT ABC (7890). Ref 7KQ2. JANGAN beri tahu siapa pun."
    )]
    text: String,

    /// The SMSC's process id: prints also the CPU time that it took for each submit
    #[arg(long)]
    pid: Option<u32>,
}

impl Submit {
    /// Submits and prints.
    ///
    /// # Errors
    ///
    /// [`Failure::Wrong`] if the SMSC refuses the bind or closes the connection; [`Failure::Io`] otherwise.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut esme = Esme::bind(self)?;
        let cpu_micros =
            |pid| cpu::of_process(pid).map(|ticks| cpu::time(ticks.user + ticks.system).as_secs_f64() * 1e6);
        let cpu_micros =
            || self.pid.map(cpu_micros).transpose().map_err(Failure::io("cannot read the SMSC's CPU time"));
        let (cpu_before, began) = (cpu_micros()?, clock::now());
        self.submit_all(&mut esme)?;
        let seconds = clock::now().duration_since(began).as_secs_f64();
        let Answered { submits, refused, receipts } = esme.answered;
        let rate = f64::from(submits) / seconds;
        let print = |line: String| writeln!(io::stdout(), "{line}").map_err(Failure::io("cannot print"));
        print(format!(
            "{submits} submits ({refused} refused), {receipts} receipts in {seconds:.2} s: {rate:.0} submits/s"
        ))?;
        if let (Some(before), Some(after)) = (cpu_before, cpu_micros()?) {
            print(format!("SMSC: {:.2} µs of CPU for each submit", (after - before) / f64::from(submits)))?;
        }
        Ok(())
    }

    /// Returns when every submit is answered and every receipt has come.
    fn submit_all(&self, esme: &mut Esme) -> Result<(), Failure> {
        let not_gsm = |error: gsm7::NotInAlphabet| Failure::Setting(format!("--text: {error}"));
        let text = gsm7::encode(&self.text).map_err(not_gsm)?;
        let registered_delivery = if self.no_receipts { NO_RECEIPT } else { FINAL_RECEIPT };
        let mut sent = 0;
        while !esme.answered.all(self) {
            while sent < self.count && sent - esme.answered.submits < self.window {
                let number = format!("62812{:08}", sent % self.numbers);
                let submit = SubmitSm {
                    source: Address::alphanumeric(b"BankContoh"),
                    destination: Address::international(number.as_bytes()),
                    validity_period: b"000000000300000R",
                    registered_delivery,
                    short_message: &text,
                    ..SubmitSm::default()
                };
                let sequence = SequenceNumber(sent % (SequenceNumber::LAST.0 - 1) + FIRST_SUBMIT);
                esme.write(sequence, Body::SubmitSm(submit))?;
                sent += 1;
            }
            esme.exchange()?;
        }
        esme.flush()
    }
}

/// What the SMSC has answered so far.
#[derive(Debug, Default)]
struct Answered {
    submits: u32,
    refused: u32,
    receipts: u32,
}

impl Answered {
    fn all(&self, settings: &Submit) -> bool {
        let receipts = if settings.no_receipts { 0 } else { settings.count.saturating_sub(self.refused) };
        self.submits >= settings.count && self.receipts >= receipts
    }
}

/// One bound session, read and written in large pieces.
struct Esme {
    stream: TcpStream,
    input: Box<[u8]>,
    filled: usize,
    output: Vec<u8>,
    answered: Answered,
}

impl Esme {
    fn bind(settings: &Submit) -> Result<Self, Failure> {
        let stream = TcpStream::connect(settings.smpp).map_err(Failure::io("cannot connect to the SMSC"))?;
        stream.set_nodelay(true).map_err(Failure::io("cannot set TCP_NODELAY"))?;
        let input = vec![0; COMMAND_LENGTH_MAX].into_boxed_slice();
        let mut esme = Self { stream, input, filled: 0, output: Vec::new(), answered: Answered::default() };
        let bind = Bind {
            system_id: settings.system_id.as_bytes(),
            password: settings.password.as_bytes(),
            ..Bind::default()
        };
        esme.write(SequenceNumber::FIRST, Body::BindTransceiver(bind))?;
        esme.exchange()?;
        Ok(esme)
    }

    fn write(&mut self, sequence: SequenceNumber, body: Body<'_>) -> Result<(), Failure> {
        codec::encode(&Pdu::new(sequence, body), &mut self.output)
            .map_err(|error| Failure::Setting(error.to_string()))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.stream.write_all(&self.output).map_err(Failure::io("cannot write to the SMSC"))?;
        self.output.clear();
        Ok(())
    }

    /// Writes what is pending, waits for bytes, and takes in every whole PDU.
    fn exchange(&mut self) -> Result<(), Failure> {
        self.flush()?;
        let room = &mut self.input[self.filled..];
        match self.stream.read(room).map_err(Failure::io("cannot read from the SMSC"))? {
            0 => return Err(Failure::Wrong("the SMSC closed the connection".into())),
            count => self.filled += count,
        }
        let consumed = take(&self.input[..self.filled], &mut self.output, &mut self.answered)
            .map_err(|reason| Failure::Wrong(format!("the SMSC: {reason}")))?;
        self.input.copy_within(consumed..self.filled, 0);
        self.filled -= consumed;
        Ok(())
    }
}

/// Counts the whole PDUs at the start of `input`, appends the answers that they need to `output`, and returns
/// how many bytes they have.
fn take(input: &[u8], output: &mut Vec<u8>, answered: &mut Answered) -> Result<usize, String> {
    let mut consumed = 0;
    while let Some(frame) =
        frame::cut(&input[consumed..], COMMAND_LENGTH_MAX).map_err(|error| error.to_string())?
    {
        let pdu = codec::decode(frame).map_err(|error| error.to_string())?.pdu;
        let reply = match pdu.body {
            Body::SubmitSmResp(_) => {
                answered.submits += 1;
                answered.refused += u32::from(!pdu.status.is_ok());
                None
            }
            Body::DeliverSm(_) => {
                answered.receipts += 1;
                Some(Body::DeliverSmResp(DeliverSmResp::default()))
            }
            Body::EnquireLink => Some(Body::EnquireLinkResp),
            other if !pdu.status.is_ok() => return Err(format!("{} {}", other.command_id(), pdu.status)),
            _ => None,
        };
        if let Some(reply) = reply {
            codec::encode(&Pdu::new(pdu.sequence, reply), output).map_err(|error| error.to_string())?;
        }
        consumed += frame.len();
    }
    Ok(consumed)
}

#[cfg(test)]
mod tests {
    use smpp::pdu::{BindResp, DeliverSm, SubmitSmResp};
    use smpp::status::CommandStatus;

    use super::*;

    fn bytes(pdus: &[Pdu<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        pdus.iter().for_each(|pdu| codec::encode(pdu, &mut bytes).unwrap());
        bytes
    }

    #[test]
    fn answers_are_counted_receipts_answered_and_a_part_of_a_pdu_left() {
        let accepted = Pdu::new(SequenceNumber(2), Body::SubmitSmResp(SubmitSmResp::default()));
        let refused = Pdu { status: CommandStatus::ESME_RTHROTTLED, sequence: SequenceNumber(3), ..accepted };
        let receipt = Pdu::new(SequenceNumber(7), Body::DeliverSm(DeliverSm::default()));
        let mut input = bytes(&[accepted, refused, receipt]);
        let whole = input.len();
        input.extend_from_slice(&[0, 0, 0]);
        let (mut output, mut answered) = (Vec::new(), Answered::default());
        assert_eq!(take(&input, &mut output, &mut answered), Ok(whole));
        assert_eq!((answered.submits, answered.refused, answered.receipts), (2, 1, 1));
        let resp = Body::DeliverSmResp(DeliverSmResp::default());
        assert_eq!(output, bytes(&[Pdu::new(SequenceNumber(7), resp)]));
    }

    #[test]
    fn a_refused_bind_ends_the_run() {
        let resp = Body::BindTransceiverResp(BindResp::default());
        let refused = bytes(&[Pdu::response(CommandStatus::ESME_RINVPASWD, SequenceNumber::FIRST, resp)]);
        let error = take(&refused, &mut Vec::new(), &mut Answered::default()).unwrap_err();
        assert_eq!(error, "bind_transceiver_resp ESME_RINVPASWD (0xE)");
    }
}
