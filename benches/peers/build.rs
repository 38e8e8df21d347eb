//! The gRPC service, without needing protoc.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
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
