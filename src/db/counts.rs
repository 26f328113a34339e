//! Counting one request in one statement, for PostgreSQL: exact over all servers without the queue of the writer.

use diesel::QueryResult;
use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Text};

use super::Conn;

/// A row is locked by `ON CONFLICT` before its `SET` is worked out, on the newest version of it: that is what makes it exact.
/// `$1` the key, `$2` now, `$3` how many, `$4` in what time. A time that has not come yet is now.
const TAKE: &str = "
    INSERT INTO shared_counts AS kept (key, times, wait, expires_at) VALUES ($1, $2::text, 0, $2 + $4)
    ON CONFLICT (key) DO UPDATE SET (times, wait, expires_at) = (
        SELECT CASE WHEN held < $3 THEN concat_ws(' ', nullif(array_to_string(live, ' '), ''), $2::text)
                    ELSE array_to_string(live, ' ') END,
               CASE WHEN held < $3 THEN 0 ELSE live[held - $3 + 1] + $4 - $2 END,
               CASE WHEN held < $3 THEN $2 + $4 ELSE kept.expires_at END
        FROM (SELECT live, cardinality(live) AS held FROM (SELECT ARRAY(
            SELECT least(time::bigint, $2) FROM unnest(string_to_array(kept.times, ' ')) AS time
            WHERE least(time::bigint, $2) + $4 > $2 ORDER BY 1
        ) AS live) AS logs) AS log
    ) RETURNING wait";

/// Counts one under `key` at `now`, if fewer than `most` are counted within `per`, both in microseconds; how many microseconds to
/// wait, 0 if it was counted. Only for PostgreSQL, and outside of a transaction.
///
/// # Errors
/// The database's.
pub fn take(conn: &mut Conn, key: &str, most: i64, per: i64, now: i64) -> QueryResult<i64> {
    #[derive(diesel::QueryableByName)]
    struct Wait {
        #[diesel(sql_type = BigInt)]
        wait: i64,
    }
    let take = diesel::sql_query(TAKE).bind::<Text, _>(key).bind::<BigInt, _>(now);
    Ok(take.bind::<BigInt, _>(most).bind::<BigInt, _>(per).get_result::<Wait>(conn)?.wait)
}
