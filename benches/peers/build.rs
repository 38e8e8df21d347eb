//! The peers' services, each in its own words. gRPC does without protoc; Cap'n Proto needs its own
//! compiler, which is in the package `capnproto` of many systems.

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
        .context("the compiler of Cap'n Proto (package capnproto)")?;
    volo_build::Builder::thrift()
        .add_service("schema/echo.thrift")
        .write()
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
