//! Rolling up a day: its addresses become networks. Sums stay the same.

use gdprport_core::privacy::PSEUDONYMS;
use ipnet::IpNet;
use rusqlite::{Connection, Result, TransactionBehavior, params};

use super::peers::{LEVELS, rolled_up};

/// Rows of a transaction: some milliseconds, for which a batch may wait.
pub(super) const CHUNK: u32 = 1_000;

/// The last level that days are rolled up to because of their size. What is left then are other ports, identities, verdicts.
pub(super) const LAST_LEVEL: i64 = 2;

const TAKE: &str = "DELETE FROM edge WHERE row = ?1";

/// What is put together was seen from the first observation of all to the last of all.
const ADD: &str = "UPDATE edge SET
    flows = min(flows + ?10, 9223372036854775807), opened = min(opened + ?11, 9223372036854775807),
    closed = min(closed + ?12, 9223372036854775807), failed = min(failed + ?13, 9223372036854775807),
    bytes_sent = min(bytes_sent + ?14, 9223372036854775807),
    bytes_received = min(bytes_received + ?15, 9223372036854775807),
    first = min(first, ?16), last = max(last, ?17), moved = min(moved + ?19, flows + ?10, 9223372036854775807)
    WHERE day = ?1 AND port = ?2 AND direction = ?3 AND identity = ?4 AND peer = ?5 AND prefix = ?6 AND verdict = ?7
        AND posture = ?8 AND policy = ?9 AND ?18 = ?18";

const MAKE: &str = "INSERT INTO edge(day, port, direction, identity, peer, prefix, verdict, posture, policy,
    flows, opened, closed, failed, bytes_sent, bytes_received, first, last, row, moved)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";

/// Rolls up rows of a day that are finer than a level, and says how many there were, and how many were put to others. 0:
/// none is left.
///
/// # Errors
/// If it cannot be stored.
pub(super) fn roll_up(db: &mut Connection, day: i64, level: i64) -> Result<(u64, u64)> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let level = usize::try_from(level).unwrap_or(0);
    let (v4, v6) = LEVELS[level.saturating_sub(1).min(LEVELS.len() - 1)];
    let (mut moved, mut merged) = (0, 0);
    {
        let mut find = transaction.prepare(
            "SELECT day, port, direction, identity, peer, prefix, verdict, posture, policy, flows, opened, closed, failed,
                bytes_sent, bytes_received, first, last, row, moved FROM edge
            WHERE day = ?1 AND prefix > CASE WHEN instr(peer, ':') THEN ?2 ELSE ?3 END
                AND NOT (?2 > 0 AND peer = ?5 AND prefix = ?6) ORDER BY row LIMIT ?4",
        )?;
        let (mut take, mut add, mut make) =
            (transaction.prepare(TAKE)?, transaction.prepare(ADD)?, transaction.prepare(MAKE)?);
        let mut rows = find.query(params![
            day,
            v6,
            v4,
            CHUNK,
            PSEUDONYMS.network().to_string(),
            PSEUDONYMS.prefix_len()
        ])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (address, prefix): (String, u8) = (row.get(4)?, row.get(5)?);
            let mut numbers = [0_i64; 19];
            for (column, number) in
                numbers.iter_mut().enumerate().filter(|(column, _)| !matches!(column, 2 | 4))
            {
                *number = row.get(column)?;
            }
            found.push((row.get::<_, String>(2)?, address, prefix, numbers));
        }
        for (direction, address, prefix, n) in found {
            // What is no address is nobody's: it goes to all of its family.
            let any = if address.contains(':') { "::/0" } else { "0.0.0.0/0" };
            let peer = address.parse().ok().and_then(|address| IpNet::new(address, prefix).ok());
            let Some(peer) = peer.or_else(|| any.parse().ok()) else { continue };
            let peer = rolled_up(peer, level);
            let (network, prefix) = (peer.network().to_string(), peer.prefix_len());
            take.execute([n[17]])?;
            let values = params![
                n[0], n[1], direction, n[3], network, prefix, n[6], n[7], n[8], n[9], n[10], n[11], n[12],
                n[13], n[14], n[15], n[16], n[17], n[18]
            ];
            moved += 1;
            if add.execute(values)? > 0 {
                merged += 1;
            } else {
                make.execute(values)?;
            }
        }
    }
    transaction.commit()?;
    Ok((moved, merged))
}
