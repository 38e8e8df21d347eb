//! What an expert handler can be registered for.

/// Something with the name and version of an RPC: an [`Rpc`](crate::Rpc), a
/// [`OneWay`](crate::OneWay), an [`ExpertRpc`](crate::ExpertRpc), or just a
/// [`Description`](rpc_wire::Description). The menu has the digests of the types only of a
/// definition with types (rule R-IM-7).
pub trait Named: sealed::Sealed {}

impl<T: sealed::Sealed> Named for T {}

pub(super) mod sealed {
    use rpc_wire::Description;

    use crate::payload::Codec;
    use crate::shapes::Types;
    use crate::{ExpertRpc, OneWay, Rpc};

    #[expect(
        unnameable_types,
        reason = "implemented here only, so that it can change"
    )]
    pub trait Sealed {
        fn name_and_version(&self) -> Description;

        fn types(&self) -> Types;
    }

    impl<Q, R, C: Codec<Q> + Codec<R>> Sealed for Rpc<Q, R, C> {
        fn name_and_version(&self) -> Description {
            self.description()
        }

        fn types(&self) -> Types {
            Types::plain::<Q, R, C>()
        }
    }

    impl<Q, C: Codec<Q>> Sealed for OneWay<Q, C> {
        fn name_and_version(&self) -> Description {
            self.description()
        }

        fn types(&self) -> Types {
            Types::one_way::<Q, C>()
        }
    }

    impl Sealed for ExpertRpc {
        fn name_and_version(&self) -> Description {
            self.description().clone()
        }

        fn types(&self) -> Types {
            Types::UNKNOWN
        }
    }

    impl Sealed for Description {
        fn name_and_version(&self) -> Description {
            self.clone()
        }

        fn types(&self) -> Types {
            Types::UNKNOWN
        }
    }
}
