//! Captured packets: files of tcpdump and Wireshark, old and new.

use std::io::Write;

use anyhow::{anyhow, bail};
use etherparse::{EtherType, SlicedPacket};
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Block, LegacyPcapReader, Linktype, PcapBlockOwned, PcapError, PcapNGReader};

use super::connections::Connections;
use super::flows::Flows;
use super::input::Input;

/// What is read at once; has to hold the largest packet, which is 256 KiB in practice.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Decodes every TCP connection in the file, or those with a port. One that makes no sense is
/// reported and left aside; the others are decoded, and the whole fails at the end.
pub(crate) fn decode(
    input: Input,
    port: Option<u16>,
    connections: &mut Connections<impl Write>,
) -> anyhow::Result<()> {
    let name = input.name().to_owned();
    let mut reader = reader(input).map_err(|error| anyhow!("{name}: {}", describe(&error)))?;
    let mut packets = Packets::default();
    let mut flows = Flows::new(port);
    loop {
        let offset = match reader.next() {
            Ok((offset, block)) => {
                packets.block(block, &mut flows, connections)?;
                offset
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::Incomplete(_)) => {
                // Reading may wait for a capture that still goes on.
                connections.flush()?;
                let refilled = reader.refill();
                refilled.map_err(|error| anyhow!("{name}: {}", describe(&error)))?;
                continue;
            }
            Err(error) => {
                // What is whole is decoded, though its end is missing.
                let error = anyhow!("{name}: {}", describe(&error));
                flows.end(connections)?;
                return Err(error);
            }
        };
        reader.consume(offset);
    }
    flows.end(connections)?;
    connections.flush()?;
    if flows.joined_late() > 0 {
        let count = flows.joined_late();
        eprintln!("rpc: {count} connections left out: open already when the capture began");
    }
    if packets.unreadable > 0 {
        let count = packets.unreadable;
        eprintln!("rpc: {count} packets left out: no IP, or cut when they were captured");
    }
    match (flows.failed(), flows.opened()) {
        (0, 0) => bail!("{name}: no TCP connection from its beginning on"),
        (0, _) => Ok(()),
        (failed, opened) => bail!("{name}: {failed} of {opened} connections make no sense"),
    }
}

/// A reader of either format. It reads once, so that what comes first of a capture that goes on is
/// shown at once.
fn reader(input: Input) -> Result<Box<dyn PcapReaderIterator>, PcapError<&'static [u8]>> {
    Ok(if input.is_pcapng() {
        Box::new(PcapNGReader::new(BUFFER_BYTES, input)?)
    } else {
        Box::new(LegacyPcapReader::new(BUFFER_BYTES, input)?)
    })
}

/// What the blocks so far say about the packets that follow.
#[derive(Debug, Default)]
struct Packets {
    /// Of a pcap file: what its packets begin with, and units of time in a second.
    legacy: Option<(Linktype, f64)>,
    interfaces: Vec<Interface>,
    /// When the first packet was seen.
    start: Option<f64>,
    unreadable: usize,
}

/// One interface of a pcapng section.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: Linktype,
    units_per_second: u64,
    offset_seconds: u64,
}

impl Packets {
    fn block(
        &mut self,
        block: PcapBlockOwned<'_>,
        flows: &mut Flows,
        connections: &mut Connections<impl Write>,
    ) -> anyhow::Result<()> {
        let (link, at, data) = match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let units = match header.is_nanosecond_precision() {
                    true => 1e9,
                    false => 1e6,
                };
                self.legacy = Some((header.network, units));
                return Ok(());
            }
            PcapBlockOwned::Legacy(packet) => {
                let Some((link, units)) = self.legacy else {
                    bail!("a packet before the file's header");
                };
                let at = f64::from(packet.ts_sec) + f64::from(packet.ts_usec) / units;
                (link, at, packet.data)
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.interfaces.clear();
                return Ok(());
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                self.interfaces.push(Interface {
                    link: interface.linktype,
                    units_per_second: interface.ts_resolution().unwrap_or(1_000_000),
                    offset_seconds: u64::try_from(interface.ts_offset()).unwrap_or(0),
                });
                return Ok(());
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let index = usize::try_from(packet.if_id).unwrap_or(usize::MAX);
                let Some(interface) = self.interfaces.get(index) else {
                    bail!("a packet of an interface that the file does not describe");
                };
                let at = packet.decode_ts_f64(interface.offset_seconds, interface.units_per_second);
                let length = usize::try_from(packet.caplen).unwrap_or(usize::MAX);
                // Behind the packet's bytes there may be padding.
                let data = packet.data.get(..length).unwrap_or(packet.data);
                (interface.link, at, data)
            }
            PcapBlockOwned::NG(_) => return Ok(()),
        };
        let at = at - *self.start.get_or_insert(at);
        match slice(link, data) {
            Some(packet) => Ok(flows.packet(&packet, at, connections)?),
            None => {
                self.unreadable += 1;
                Ok(())
            }
        }
    }
}

/// The headers of a packet, if it has those of IP.
fn slice(link: Linktype, data: &[u8]) -> Option<SlicedPacket<'_>> {
    /// Raw IP has other numbers on some systems.
    const OTHER_RAW: [Linktype; 2] = [Linktype(12), Linktype(14)];
    let sliced = match link {
        Linktype::ETHERNET => SlicedPacket::from_ethernet(data),
        Linktype::LINUX_SLL => SlicedPacket::from_linux_sll(data),
        // What `tcpdump -i any` writes nowadays: 20 bytes, of which the first two are the protocol.
        Linktype::LINUX_SLL2 => {
            let (protocol, _) = data.split_first_chunk()?;
            let protocol = EtherType(u16::from_be_bytes(*protocol));
            SlicedPacket::from_ether_type(protocol, data.get(20..)?)
        }
        // The loopback of BSD: 4 bytes of address family.
        Linktype::NULL | Linktype::LOOP => SlicedPacket::from_ip(data.get(4..)?),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => SlicedPacket::from_ip(data),
        other if OTHER_RAW.contains(&other) => SlicedPacket::from_ip(data),
        _ => return None,
    };
    sliced.ok()
}

fn describe<I>(error: &PcapError<I>) -> &'static str {
    match error {
        PcapError::HeaderNotRecognized => "no pcap or pcapng file",
        PcapError::Eof | PcapError::UnexpectedEof | PcapError::Incomplete(_) => {
            "the file ends in the middle of a packet"
        }
        PcapError::ReadError => "cannot be read",
        PcapError::BufferTooSmall => "a packet is too large",
        PcapError::NomError(..) | PcapError::OwnedNomError(..) => "a block that makes no sense",
    }
}
