//! The TCP connections among captured packets.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::net::SocketAddr;

use etherparse::{NetSlice, SlicedPacket, TcpSlice, TransportSlice};
use rpc_wire::conversation::Direction;

use super::connections::{Connections, Failure};
use super::tcp::{Missing, Stream};

/// Follows every connection whose beginning was captured.
#[derive(Debug)]
pub(super) struct Flows {
    port: Option<u16>,
    by_ends: BTreeMap<Ends, Flow>,
    opened: usize,
    failed: usize,
    joined_late: HashSet<Ends>,
}

/// Both ends of a connection, the smaller address first.
type Ends = (SocketAddr, SocketAddr);

/// A connection, also after it is over: packets may come late.
#[derive(Debug)]
struct Flow {
    number: usize,
    client: SocketAddr,
    /// The client's first sequence number: tells a repeated opening from a new connection.
    first: u32,
    /// `None` when it is over.
    live: Option<Live>,
}

#[derive(Debug)]
struct Live {
    from_client: Stream,
    /// Known from the server's answer on.
    from_server: Option<Stream>,
    has_client_ended: bool,
    has_server_ended: bool,
}

impl Flows {
    /// With `port` only connections that have it on either side.
    pub(super) fn new(port: Option<u16>) -> Self {
        Self {
            port,
            by_ends: BTreeMap::new(),
            opened: 0,
            failed: 0,
            joined_late: HashSet::new(),
        }
    }

    /// How many connections were followed.
    pub(super) fn opened(&self) -> usize {
        self.opened
    }

    /// How many of them made no sense.
    pub(super) fn failed(&self) -> usize {
        self.failed
    }

    /// How many more were open already when the capture began.
    pub(super) fn joined_late(&self) -> usize {
        self.joined_late.len()
    }

    /// Takes a packet that was seen at a moment. What is no TCP is passed over.
    pub(super) fn packet(
        &mut self,
        packet: &SlicedPacket<'_>,
        at: f64,
        connections: &mut Connections<impl Write>,
    ) -> Result<(), Failure> {
        let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
            return Ok(());
        };
        let (source, destination) = match &packet.net {
            Some(NetSlice::Ipv4(ip)) => {
                let header = ip.header();
                (
                    header.source_addr().into(),
                    header.destination_addr().into(),
                )
            }
            Some(NetSlice::Ipv6(ip)) => {
                let header = ip.header();
                (
                    header.source_addr().into(),
                    header.destination_addr().into(),
                )
            }
            Some(NetSlice::Arp(_)) | None => return Ok(()),
        };
        let source = SocketAddr::new(source, tcp.source_port());
        let destination = SocketAddr::new(destination, tcp.destination_port());
        let has_port = |port| source.port() == port || destination.port() == port;
        if self.port.is_some_and(|port| !has_port(port)) {
            return Ok(());
        }
        let ends = (source.min(destination), source.max(destination));
        let first = tcp.sequence_number().wrapping_add(1);
        if tcp.syn() && !tcp.ack() {
            let known = self.by_ends.get(&ends);
            if known.is_some_and(|flow| flow.client == source && flow.first == first) {
                return Ok(());
            }
            // The same two ports may serve another connection later.
            self.finish(ends, Some(at), connections)?;
            return self.open(ends, source, destination, first, connections);
        }
        let Some(flow) = self.by_ends.get_mut(&ends) else {
            if !tcp.payload().is_empty() {
                self.joined_late.insert(ends);
            }
            return Ok(());
        };
        let number = flow.number;
        match flow.segment(source, tcp, at, connections) {
            Err(Failure::Nonsense(text)) => {
                flow.live = None;
                self.fail(number, &text, connections)
            }
            outcome => outcome,
        }
    }

    /// The capture is over: what is still open ends here.
    pub(super) fn end(&mut self, connections: &mut Connections<impl Write>) -> Result<(), Failure> {
        let all: Vec<_> = self.by_ends.keys().copied().collect();
        all.into_iter()
            .try_for_each(|ends| self.finish(ends, None, connections))
    }

    fn open(
        &mut self,
        ends: Ends,
        client: SocketAddr,
        server: SocketAddr,
        first: u32,
        connections: &mut Connections<impl Write>,
    ) -> Result<(), Failure> {
        self.opened += 1;
        let number = self.opened;
        let live = Live {
            from_client: Stream::new(first),
            from_server: None,
            has_client_ended: false,
            has_server_ended: false,
        };
        let flow = Flow {
            number,
            client,
            first,
            live: Some(live),
        };
        self.by_ends.insert(ends, flow);
        connections.open(number, Some((client.to_string(), server.to_string())))
    }

    fn finish(
        &mut self,
        ends: Ends,
        at: Option<f64>,
        connections: &mut Connections<impl Write>,
    ) -> Result<(), Failure> {
        let Some(flow) = self.by_ends.remove(&ends) else {
            return Ok(());
        };
        let outcome = match &flow.live {
            None => Ok(()),
            Some(live) => match live.missing() {
                Some((from, missing)) => Err(hole(from, missing)),
                None => Direction::BOTH
                    .into_iter()
                    .try_for_each(|from| connections.end(flow.number, from, at)),
            },
        };
        match outcome {
            Err(Failure::Nonsense(text)) => self.fail(flow.number, &text, connections),
            outcome => {
                connections.close(flow.number);
                outcome
            }
        }
    }

    /// Tells what is wrong with one connection; the others go on.
    fn fail(
        &mut self,
        number: usize,
        text: &str,
        connections: &mut Connections<impl Write>,
    ) -> Result<(), Failure> {
        self.failed += 1;
        connections.flush()?;
        connections.close(number);
        eprintln!("rpc: connection {number}: {text}");
        Ok(())
    }
}

impl Flow {
    fn segment(
        &mut self,
        source: SocketAddr,
        tcp: &TcpSlice<'_>,
        at: f64,
        connections: &mut Connections<impl Write>,
    ) -> Result<(), Failure> {
        let Some(live) = &mut self.live else {
            return Ok(());
        };
        let at = Some(at);
        let sequence = tcp.sequence_number();
        let (from, stream, has_ended) = if source == self.client {
            let stream = &mut live.from_client;
            (Direction::FromClient, stream, &mut live.has_client_ended)
        } else {
            let first = if tcp.syn() {
                sequence.wrapping_add(1)
            } else {
                sequence
            };
            let stream = live.from_server.get_or_insert_with(|| Stream::new(first));
            (Direction::FromServer, stream, &mut live.has_server_ended)
        };
        if !tcp.syn() {
            stream
                .segment(sequence, tcp.payload(), tcp.fin())
                .map_err(|missing| hole(from, missing))?;
        }
        while let Some(bytes) = stream.take() {
            connections.feed(self.number, from, &bytes, at)?;
        }
        if stream.is_complete() && !*has_ended {
            *has_ended = true;
            connections.end(self.number, from, at)?;
        }
        if tcp.rst() {
            for from in Direction::BOTH {
                connections.end(self.number, from, at)?;
            }
            self.live = None;
        }
        Ok(())
    }
}

impl Live {
    fn missing(&self) -> Option<(Direction, Missing)> {
        let client = self.from_client.missing();
        let server = self.from_server.as_ref().and_then(Stream::missing);
        let client = client.map(|missing| (Direction::FromClient, missing));
        client.or_else(|| server.map(|missing| (Direction::FromServer, missing)))
    }
}

fn hole(from: Direction, missing: Missing) -> Failure {
    let Missing { at, bytes } = missing;
    Failure::Nonsense(format!(
        "{from}, byte {at}: {bytes} bytes were not captured"
    ))
}
