//! Pinned digests: what a peer compares, and the proof that a type has the structure that the
//! specification says (*shapes* §13).

use bin_prot::ByteString;
use bin_prot::shape::{BinShape, Shape};
use rpc_testkit::golden::of_kind;
use rpc_wire::{
    Description, MenuV3, Metadata, MetadataV2, QueryId, RpcDigests, RpcError, RpcShapes,
    ShapeDigest, UnimplementedVersion, menu_rpc,
};

use crate::naive::{
    NaiveCloseReason, NaiveInitial, NaiveMessage, NaiveSpecifier, NaiveStreamQuery,
    NaiveStreamResponse, QueryV1, QueryV2, QueryV3, QueryV4, ResponseV1, ResponseV2, RpcNat0,
};

/// The digest that the page gives for a type.
#[track_caller]
fn check_page<T: BinShape>(type_name: &str, expected: &str) {
    let digest = T::bin_shape().digest().unwrap();
    assert_eq!(digest.to_string(), expected, "{type_name}");
}

/// The digest that the page and the vectors give for a type.
#[track_caller]
fn check<T: BinShape>(type_name: &str, expected: &str) {
    check_page::<T>(type_name, expected);
    let vectors = of_kind("digest");
    let vector = vectors.iter().find(|vector| vector.type_name == type_name);
    let vector = vector.unwrap_or_else(|| panic!("no digest vector of type {type_name}"));
    assert_eq!(vector.text("digest").unwrap(), expected, "{type_name}");
}

/// *Shapes* §13.1 and §13.4 (catalogue A1).
#[test]
fn wire_types_have_the_digests_of_the_reference() {
    check::<QueryId>("int63", "2b528f4b22f08e28876ffe0239315ac2");
    check::<RpcError>("Rpc_error", "7dc04a86186858eb0bf5008e9a063c21");
    check::<UnimplementedVersion>("[`Version of int]", "14603f60dd97a6f3cb59e789e458d6d6");
    check::<Result<(), RpcError>>("unit Rpc_result", "3c5c4bdb6a7668a7a89b965be2fac1ba");
    check::<Description>("Description", "4521f44dbc6098c0afc2770cc84552b1");
    check::<ShapeDigest>(
        "Shape digest (annotated md5)",
        "4b8c748facc00300ddd01709d923e10b",
    );
    check::<RpcDigests>("Just_digests", "dbb45e126635a8c1bcda54c12a01cd54");
    check::<(Description, RpcDigests)>("Menu entry V2", "fe8ef8ab5b5459136f3835419d5f8a37");
    check::<Metadata>("Connection_metadata V1", "1548786e40e140d531e83fc759625246");
    check::<MetadataV2>("Connection_metadata V2", "064fe1e634ccaf7e21ac39d85d3af9ce");
}

/// *Shapes* §13.1, §13.4: what the menu RPCs answer, and the two forms of the handshake's menu.
#[test]
fn menus_have_the_digests_of_the_reference() {
    check::<menu_rpc::Names>("Menu V1 response", "4c1e50c93b38c2ad0554cbd929bef3ac");
    check::<Vec<(Description, RpcDigests)>>("Menu V2 response", "bfa1a67e3782922212d253c848e49da8");
    check::<MenuV3>("Menu V3 response", "b60375b546f0ed69982e86de633d697d");
    check::<RpcShapes>("Rpc_shapes", "256c9f763f94d2b461f6935189514839");
    check::<menu_rpc::Shapes>("Shape_menu response", "b4bdc01b7ead907e6d0d3f3d89700f1b");
}

/// *Shapes* §13.1. The bytes of the crate's messages are compared with these in `properties`.
#[test]
fn naive_messages_have_the_digests_of_the_reference() {
    check::<QueryV1<()>>("Query_v1(unit)", "be5888691d73427b3ac8ea300c169422");
    check_page::<QueryV2<()>>("Query_v2(unit)", "d1381ec5617446af76aad2ccba151f14");
    check::<QueryV3<()>>("Query_v3(unit)", "5fc7456e3029830c7b230ff883aa3e11");
    check::<QueryV4<()>>("Query_v4(unit)", "b9962a5fd8f44c370fb45b6574f839df");
    check_page::<Vec<(i64, ByteString)>>("Query metadata V2", "821710ba4072560dac0fc5b7542d8adf");
    check::<NaiveSpecifier>("Rpc_specifier", "b4190d9002f64826322cc922f34beb06");
    check::<RpcNat0>("rpc_nat0", "595f2a60f11816b29a72ddab17002b56");
    check::<ResponseV1<()>>("Response_v1(unit)", "e08147cd47ea743ad47cbb4abcd9448d");
    check::<ResponseV2<()>>("Response_v2(unit)", "b7047e562833e76722265f8bad6f3746");
    check::<NaiveCloseReason>(
        "Close_reason_v2 payload",
        "15d8ad054de629cf116cdd2daaf65a86",
    );
    check::<NaiveMessage<()>>("Message(unit)", "0c52c2d4463055e34701c04c0fe6066f");
    check::<NaiveMessage<ByteString>>("Message(string)", "4a7d5d92fe33289ddbf2899ebce811c8");
}

/// *Shapes* §13.1.
#[test]
fn naive_stream_payloads_have_the_digests_of_the_reference() {
    check::<NaiveStreamQuery<()>>("Stream_query(unit)", "2c37868761971c78cc355d43f0854860");
    check::<NaiveInitial<(), ()>>(
        "Stream_initial_message(unit,unit)",
        "46f231ddb7fa59da9c27759d50ae01a9",
    );
    check::<NaiveStreamResponse<()>>(
        "Stream_response_data(unit)",
        "c1dbcdcfe2b12e797ec64f0d74df1811",
    );
}

/// *Shapes* §11: digests are those of the user's types, whatever the kind.
#[test]
fn digests_of_shapes_are_those_of_a_menu() {
    let (int, text) = (i64::bin_shape, String::bin_shape);
    let digest = |shape: Shape| ShapeDigest(shape.digest().unwrap());
    let plain = RpcShapes::Rpc {
        query: int(),
        response: text(),
    };
    let expected = RpcDigests::Rpc {
        query: digest(int()),
        response: digest(text()),
    };
    assert_eq!(plain.digests(), Ok(expected));
    let stream = RpcShapes::StreamingRpc {
        query: text(),
        initial_response: <()>::bin_shape(),
        update_response: int(),
        error: bool::bin_shape(),
    };
    let expected = RpcDigests::StreamingRpc {
        query: digest(text()),
        initial_response: digest(<()>::bin_shape()),
        update_response: digest(int()),
        error: digest(bool::bin_shape()),
    };
    assert_eq!(stream.digests(), Ok(expected));
    assert_eq!(RpcShapes::Unknown.digests(), Ok(RpcDigests::Unknown));

    // What a peer sends need not be a type's shape.
    let msg = Shape::parameter("a");
    let sent = bin_prot::to_vec(&RpcShapes::OneWay { msg }).unwrap();
    let received: RpcShapes = bin_prot::from_slice(&sent).unwrap();
    assert!(received.digests().is_err());
}
