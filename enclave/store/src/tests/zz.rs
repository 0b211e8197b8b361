use crate::fixture::*; use vettid_wire::Secret; use rusqlite::StatementStatus;
#[test] fn zz() {
  let mut v=Vault::enrolled(); let b=Secret::new(vec![1;1000]);
  for i in 1..20u64 { v.commit(|c| c.answered(&DEVICE, &vettid_wire::id::RequestId([3;16]))); v.database.view().item(&item_id(3)).unwrap(); v.database.view().content(&item_id(3),1).unwrap(); v.commit(|c| put(c,&next((i%7) as u8, i/7+1, "n", &[], &b))); }
  for sql in ["SELECT digest, reply, at FROM requests WHERE device = ?1 AND id = ?2","INSERT INTO items (id, version, name, category, sensitivity, favorite, created)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT DO UPDATE SET version = ?2, name = ?3, category = ?4,
                   sensitivity = ?5, favorite = ?6, removed = NULL","SELECT version, name, written, body FROM item_versions
                 WHERE item = ?1 AND version = ?2","SELECT number FROM devices WHERE id = ?1","SELECT sequence, hash, at FROM audit ORDER BY sequence DESC LIMIT 1","DELETE FROM item_versions WHERE item = ?1 AND version < ?2","INSERT INTO requests (device, id, digest, reply, at) VALUES (?1, ?2, ?3, ?4, ?5)", "SELECT name FROM item_tags JOIN tags ON number = tag WHERE item = ?1 ORDER BY name",
   "INSERT INTO item_versions (item, version, written, device, name, body)\n             VALUES (?1, ?2, ?3, ?4, ?5, ?6)"] {
    let s=v.database.connection.prepare_cached(sql).unwrap();
    println!("{} runs {} reprepare {}", sql, s.get_status(StatementStatus::Run), s.get_status(StatementStatus::RePrepare));
  }
}
