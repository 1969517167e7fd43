//! Tables with known keys. One macro makes the struct, its JSON Schema and its reading, so that the three cannot drift
//! apart.

/// Declares tables, each with its name in messages and in the schema: required keys (with what to write in the message
/// that misses them), optional keys, and keys that only a later version will have (with why). The caller imports
/// `JsonSchema`, `At`, `Node`, `Read`, `Report` and `TableReader`.
macro_rules! tables {
    ($(
        $(#[doc = $doc:literal])*
        $what:literal => struct $name:ident as $title:literal {
            required { $($(#[$required_meta:meta])* $required:ident: $required_type:ty = $hint:literal,)* }
            optional { $($(#[$optional_meta:meta])* $optional:ident: $optional_type:ty,)* }
            later { $($later:ident = $why:literal,)* }
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, JsonSchema)]
        #[schemars(deny_unknown_fields, rename = $title)]
        pub(crate) struct $name {
            $($(#[$required_meta])* #[schemars(required)] pub $required: Option<At<$required_type>>,)*
            $($(#[$optional_meta])* pub $optional: Option<At<$optional_type>>,)*
        }

        impl $name {
            /// Reads a table that is open already, perhaps with keys taken from it, and closes it.
            pub(crate) fn take(mut fields: TableReader<'_, '_, '_>) -> Self {
                let table = Self {
                    $($required: fields.required(stringify!($required), $hint),)*
                    $($optional: fields.optional(stringify!($optional)),)*
                };
                $(fields.later(stringify!($later), $why);)*
                fields.close();
                table
            }
        }

        impl Read for $name {
            fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
                TableReader::open(node, $what, report).map(Self::take)
            }
        }
    )*};
}

/// Implements `JsonSchema` for a type whose schema is written out.
macro_rules! schema {
    ($type:ty, $schema:expr) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

pub(crate) use {schema, tables};
