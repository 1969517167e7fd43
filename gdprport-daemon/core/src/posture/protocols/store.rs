//! Stores that have no upgrade of their own: Redis, memcached, Couchbase, MongoDB, Cassandra, Elasticsearch's
//! transport, ClickHouse, Neo4j.
//!
//! Belongs here: by which first bytes a client of each is known. Each returns whether a client begins so; `None`
//! while there are too few bytes. `declared`: the port is declared to be of the protocol, so that less is enough.

use super::line::{is_text, one_of, split, text, word};
use crate::posture::cursor::{Cursor, starts};

/// Redis' RESP: an array of bulk strings, and where it is declared a command in one line.
pub(in crate::posture) fn redis(client: &[u8], declared: bool) -> Option<bool> {
    #[rustfmt::skip]
    const COMMANDS: &[&str] = &[
        "PING", "AUTH", "HELLO", "GET", "SET", "DEL", "EXISTS", "KEYS", "SCAN", "TTL",
        "EXPIRE", "TYPE", "INCR", "DECR", "APPEND", "MGET", "MSET", "HGET", "HSET", "HGETALL",
        "LPUSH", "RPUSH", "LPOP", "RPOP", "LRANGE", "SADD", "SMEMBERS", "ZADD", "ZRANGE", "XADD",
        "XREAD", "PUBLISH", "SUBSCRIBE", "PSUBSCRIBE", "INFO", "CLIENT", "CONFIG", "COMMAND", "CLUSTER", "DBSIZE",
        "FLUSHALL", "FLUSHDB", "MONITOR", "SLOWLOG", "ROLE", "REPLICAOF", "SYNC", "PSYNC", "REPLCONF", "EVAL",
        "MULTI", "EXEC", "SELECT", "ECHO", "QUIT", "TIME", "ACL",
    ];
    let digits = |bytes: &[u8]| (1..=10).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit);
    let mut client = client;
    // Arrays of nothing are no commands, and servers let them pass.
    while let Some((b"*0" | b"*-1", behind)) = split(client) {
        client = behind;
    }
    if starts(client, b"*") != Some(true) {
        if !declared {
            return if client.is_empty() { None } else { Some(false) };
        }
        // A command may stand behind blanks and in quotes.
        let command = |line: &[u8]| {
            let first = word(line.trim_ascii_start()).0;
            let first = first.strip_prefix(b"\"").unwrap_or(first);
            one_of(first.strip_suffix(b"\"").unwrap_or(first), COMMANDS).is_some()
        };
        return text(client).map(|line| line.is_some_and(|(line, _)| command(line)));
    }
    let short = |rest: &[u8]| {
        rest.len() <= 11 && rest.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'\r' | b'-'))
    };
    let Some((count, rest)) = split(&client[1..]) else {
        return if short(&client[1..]) { None } else { Some(false) };
    };
    match (digits(count), starts(rest, b"$")) {
        (true, Some(true)) => {}
        (true, None) => return None,
        _ => return Some(false),
    }
    match split(&rest[1..]) {
        Some((length, _)) => Some(digits(length)),
        None => {
            if short(&rest[1..]) {
                None
            } else {
                Some(false)
            }
        }
    }
}

/// memcached's commands in text (its `protocol.txt`).
pub(in crate::posture) fn memcached_text(client: &[u8], _declared: bool) -> Option<bool> {
    const COMMANDS: [&str; 22] = [
        "get",
        "gets",
        "gat",
        "set",
        "add",
        "replace",
        "append",
        "prepend",
        "cas",
        "delete",
        "incr",
        "decr",
        "touch",
        "mg",
        "ms",
        "md",
        "ma",
        "mn",
        "stats",
        "version",
        "verbosity",
        "flush_all",
    ];
    if !client.first().is_none_or(u8::is_ascii_lowercase) {
        return Some(false);
    }
    let known = |line| COMMANDS.iter().any(|known| known.as_bytes() == word(line).0);
    if client.contains(&b' ') && !known(client) {
        return Some(false);
    }
    text(client).map(|line| line.is_some_and(|(line, _)| known(line)))
}

/// The binary protocol of memcached and Couchbase: a request's magic byte, and lengths that agree.
pub(in crate::posture) fn memcached_binary(client: &[u8], _declared: bool) -> Option<bool> {
    let mut rest = Cursor(client);
    if rest.u8()? != 0x80 {
        return Some(false);
    }
    let _opcode = rest.u8()?;
    let key = rest.u16()?;
    if key > 250 {
        return Some(false);
    }
    let extras = rest.u8()?;
    let _datatype_and_bucket = rest.take(3)?;
    let body = rest.u32()?;
    Some(u32::from(key) + u32::from(extras) <= body && body <= 20 << 20)
}

/// MongoDB's messages (`OP_QUERY`, `OP_COMPRESSED`, `OP_MSG`), least significant byte first.
pub(in crate::posture) fn mongodb(client: &[u8], _declared: bool) -> Option<bool> {
    let mut rest = Cursor(client);
    // Messages are at most 48 MB: the most significant byte of the length is 0 to 3.
    if client.get(3).is_some_and(|byte| *byte > 3) {
        return Some(false);
    }
    let length = rest.u32_le()?;
    let _request_id = rest.u32_le()?;
    let response_to = rest.u32_le()?;
    let opcode = rest.u32_le()?;
    Some((16..=48_000_000).contains(&length) && response_to == 0 && matches!(opcode, 2004 | 2012 | 2013))
}

/// Cassandra's native protocol, versions 1 to 5 and DataStax' 1 and 2: OPTIONS or STARTUP.
pub(in crate::posture) fn cassandra(client: &[u8], _declared: bool) -> Option<bool> {
    let mut rest = Cursor(client);
    let version = rest.u8()?;
    let _flags = match version {
        1..=5 | 0x41 | 0x42 => rest.u8()?,
        _ => return Some(false),
    };
    if version <= 2 {
        rest.u8()?;
    } else {
        rest.u16()?;
    }
    let opcode = rest.u8()?;
    if opcode != 1 && opcode != 5 {
        return Some(false);
    }
    let length = rest.u32()?;
    if opcode == 5 {
        return Some(length == 0);
    }
    let entries = rest.u16()?;
    let name = rest.u16()?;
    let letter = rest.u8()?;
    Some(
        length <= 4096
            && (1..=16).contains(&entries)
            && (1..=64).contains(&name)
            && letter.is_ascii_uppercase(),
    )
}

/// Elasticsearch's and OpenSearch's transport: `ES`, a length, the number of a request.
pub(in crate::posture) fn elasticsearch(client: &[u8], _declared: bool) -> Option<bool> {
    match starts(client, b"ES") {
        Some(true) => {}
        other => return other,
    }
    let mut rest = Cursor(&client[2..]);
    let length = rest.u32()?;
    let request_id_high = rest.u32()?;
    Some((13..1 << 31).contains(&length) && request_id_high == 0)
}

/// ClickHouse's native protocol: the client's hello, with its name.
pub(in crate::posture) fn clickhouse(client: &[u8], _declared: bool) -> Option<bool> {
    let mut rest = Cursor(client);
    if rest.u8()? != 0 {
        return Some(false);
    }
    let length = rest.u8()?;
    if !(4..=64).contains(&length) {
        return Some(false);
    }
    let name = rest.take(length.into())?;
    Some(name.windows(4).any(|part| part.eq_ignore_ascii_case(b"Clic")) && is_text(name))
}

/// Neo4j's Bolt: its magic number.
pub(in crate::posture) fn bolt(client: &[u8], _declared: bool) -> Option<bool> {
    starts(client, &[0x60, 0x60, 0xB0, 0x17])
}
