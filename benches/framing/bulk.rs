//! Many numbers, and many bytes: what loops and copies cost.

use std::{hint::black_box, rc::Rc};

use bin_prot::BinProt;
use bincode::{Decode, Encode};
use binprot_derive::{BinProtRead, BinProtWrite};
use serde::{Deserialize, Serialize};

use crate::{
    measure::{Case, Contestant},
    names::{BINCODE, BINPROT, COPY, OURS, POSTCARD, PROST},
};

/// A value in the formats that share a type, and the same in those that need types of their own.
struct Values<T, P, B> {
    shared: T,
    prost: P,
    binprot: B,
}

#[derive(Clone, Debug, PartialEq, BinProt, Encode, Decode, Serialize, Deserialize)]
struct Numbers {
    numbers: Vec<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProtobufNumbers {
    #[prost(int64, repeated, tag = "1")]
    numbers: Vec<i64>,
}

#[derive(Clone, BinProtRead, BinProtWrite)]
struct BinprotNumbers {
    numbers: Vec<i64>,
}

#[derive(Clone, Debug, PartialEq, BinProt, Encode, Decode, Serialize, Deserialize)]
struct Blob {
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProtobufBlob {
    #[prost(bytes = "vec", tag = "1")]
    bytes: Vec<u8>,
}

#[derive(Clone, BinProtRead, BinProtWrite)]
struct BinprotBlob {
    bytes: binprot::Bytes,
}

/// All cases of lists and bytes.
pub(crate) fn cases() -> Vec<Case> {
    let [small, mixed] = [small_numbers(), mixed_numbers()].map(|numbers| Values {
        shared: Numbers {
            numbers: numbers.clone(),
        },
        prost: ProtobufNumbers {
            numbers: numbers.clone(),
        },
        binprot: BinprotNumbers { numbers },
    });
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(1024 * 1024).collect();
    let blob = Values {
        shared: Blob {
            bytes: bytes.clone(),
        },
        prost: ProtobufBlob {
            bytes: bytes.clone(),
        },
        binprot: BinprotBlob {
            bytes: bytes.into(),
        },
    };
    [
        small.cases("1000 small ints"),
        mixed.cases("1000 mixed ints"),
        blob.cases("1 MiB of bytes"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Numbers of one byte in every format.
fn small_numbers() -> Vec<i64> {
    (0..60).cycle().take(1000).collect()
}

/// Numbers of one to forty bits, in no order that a processor could guess.
fn mixed_numbers() -> Vec<i64> {
    // The generator of C's early `rand`: nothing depends on its quality.
    let mut state = 1_u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state >> 24
    };
    (0..1000)
        .map(|_| {
            let bits = random() % 40;
            (random() & ((2 << bits) - 1)).cast_signed()
        })
        .collect()
}

impl<T, P, B> Values<T, P, B>
where
    T: bin_prot::BinWrite + bin_prot::BinReadOwned + Clone + PartialEq + std::fmt::Debug,
    T: Encode + Decode<()> + Serialize + serde::de::DeserializeOwned + 'static,
    P: prost::Message + Default + Clone + 'static,
    B: binprot::BinProtWrite + binprot::BinProtRead + Clone + 'static,
{
    fn cases(self, name: &str) -> [Case; 2] {
        [
            Case::new(&format!("{name}, encode"), self.encode()),
            Case::new(&format!("{name}, decode"), self.decode()),
        ]
    }

    /// Into warm buffers, as for the record.
    fn encode(&self) -> Vec<Contestant> {
        let bytes = bin_prot::to_vec(&self.shared).expect("numbers below 2^62");
        // Most formats' encodings are about as long as ours; none is twice as long.
        let room = 2 * bytes.len();
        let [ours, bincode_value, postcard_value] = [(); 3].map(|()| self.shared.clone());
        let (prost, binprot) = (self.prost.clone(), self.binprot.clone());
        let [
            mut ours_buffer,
            mut prost_buffer,
            mut binprot_buffer,
            mut copy,
        ] = [(); 4].map(|()| Vec::with_capacity(room));
        let [mut bincode_buffer, mut postcard_buffer] = [(); 2].map(|()| vec![0; room]);
        vec![
            Contestant::new(OURS, move || {
                ours_buffer.clear();
                let written = black_box(&ours).bin_write(&mut ours_buffer);
                written.expect("numbers below 2^62");
                black_box(&ours_buffer);
            }),
            Contestant::new(BINCODE, move || {
                let written = bincode::encode_into_slice(
                    black_box(&bincode_value),
                    &mut bincode_buffer,
                    bincode::config::standard(),
                )
                .expect("room enough");
                black_box(&bincode_buffer[..written]);
            }),
            Contestant::new(POSTCARD, move || {
                let written = postcard::to_slice(black_box(&postcard_value), &mut postcard_buffer);
                black_box(written.expect("room enough"));
            }),
            Contestant::new(PROST, move || {
                prost_buffer.clear();
                let written = black_box(&prost).encode(&mut prost_buffer);
                written.expect("a vector grows");
                black_box(&prost_buffer);
            }),
            Contestant::new(BINPROT, move || {
                binprot_buffer.clear();
                let written = black_box(&binprot).binprot_write(&mut binprot_buffer);
                written.expect("a vector grows");
                black_box(&binprot_buffer);
            }),
            Contestant::new(COPY, move || {
                copy.clear();
                copy.extend_from_slice(black_box(&bytes));
                black_box(&copy);
            }),
        ]
    }

    /// Into fresh memory.
    fn decode(&self) -> Vec<Contestant> {
        let ours = bin_prot::to_vec(&self.shared).expect("numbers below 2^62");
        let bincode = bincode::encode_to_vec(&self.shared, bincode::config::standard())
            .expect("a vector grows");
        let postcard = postcard::to_stdvec(&self.shared).expect("a vector grows");
        let prost = self.prost.encode_to_vec();
        let mut binprot = Vec::new();
        self.binprot
            .binprot_write(&mut binprot)
            .expect("a vector grows");
        assert_eq!(ours, binprot);
        // The same memory, not only the same bytes: how fast a large copy is depends on where its
        // source lies.
        let ours: Rc<[u8]> = ours.into();
        let copied = Rc::clone(&ours);
        let read_ours = |bytes: &[u8]| bin_prot::from_slice::<T>(bytes).expect("a value");
        let read_bincode = |bytes: &[u8]| -> T {
            let read = bincode::decode_from_slice(bytes, bincode::config::standard());
            read.expect("a value").0
        };
        let read_postcard = |bytes: &[u8]| postcard::from_bytes::<T>(bytes).expect("a value");
        let read_prost = |bytes: &[u8]| P::decode(bytes).expect("a value");
        let read_binprot = |mut bytes: &[u8]| B::binprot_read(&mut bytes).expect("a value");
        assert_eq!(read_ours(&ours), self.shared);
        assert_eq!(read_bincode(&bincode), self.shared);
        assert_eq!(read_postcard(&postcard), self.shared);
        assert_eq!(read_prost(&prost).encode_to_vec(), prost);
        vec![
            Contestant::new(OURS, move || {
                black_box(&read_ours(black_box(&ours)));
            }),
            Contestant::new(BINCODE, move || {
                black_box(&read_bincode(black_box(&bincode)));
            }),
            Contestant::new(POSTCARD, move || {
                black_box(&read_postcard(black_box(&postcard)));
            }),
            Contestant::new(PROST, move || {
                black_box(&read_prost(black_box(&prost)));
            }),
            Contestant::new(BINPROT, move || {
                black_box(&read_binprot(black_box(&binprot)));
            }),
            Contestant::new(COPY, move || {
                black_box(&black_box(&copied).to_vec());
            }),
        ]
    }
}
