// One insert into the same table that Laurel keeps its deliveries in, prepared once per connection.
import pg from "pg";

const INSERT = `
  INSERT INTO inbox (shop_domain, source, delivery_id, topic, body, state, attempts, received_at, due_at)
  VALUES ($1, 'shopify', $2, $3, $4, 'due', 0, $5, $5)
  ON CONFLICT (shop_domain, source, delivery_id) DO NOTHING`;

export function openStorage() {
  const pool = new pg.Pool({
    host: process.env.BENCH_PG_HOST,
    user: process.env.BENCH_PG_USER,
    database: process.env.BENCH_PG_DATABASE,
    max: 10,
  });
  return (shop, id, topic, body) =>
    pool.query({ name: "receive", text: INSERT, values: [shop, `${topic}:${id}`, topic, body, new Date()] });
}
