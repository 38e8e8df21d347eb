//! The peers' services. gRPC does without protoc; Cap'n Proto needs its own compiler and standard
//! schemas, which are in Debian's packages `capnproto` and `libcapnp-dev`.

use anyhow::{Context as _, Result};
use tonic_build::manual::{Builder, Method, Service};

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=schema");
    grpc();
    capnpc::CompilerCommand::new()
        .src_prefix("schema")
        .default_parent_module(vec!["capnproto".to_owned()])
        .file("schema/echo.capnp")
        .run()
        .context("the compiler of Cap'n Proto (packages capnproto and libcapnp-dev)")
}

fn grpc() {
    let method = |name: &str, route: &str, types: [&str; 2]| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type(types[0])
            .output_type(types[1])
            .codec_path("tonic_prost::ProstCodec")
    };
    let payload = "crate::grpc::Payload";
    let service = Service::builder()
        .name("Echo")
        .package("peers")
        .method(method("echo", "Echo", [payload; 2]).build())
        .method(
            method(
                "count",
                "Count",
                ["crate::grpc::Nothing", "crate::grpc::Number"],
            )
            .server_streaming()
            .build(),
        )
        .method(
            method("news", "News", ["crate::grpc::Nothing", payload])
                .server_streaming()
                .build(),
        )
        .build();
    Builder::new().compile(&[service]);
}
