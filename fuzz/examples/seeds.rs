//! Writes the seed corpora (`fuzz/corpus/TARGET`) from what the tests of the edges have recorded.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = here.join("corpus");
    let crates = here.join("../crates");
    pushed_and_listed(&crates.join("kapso/tests/data"), &corpus)?;
    signatures(&corpus)?;
    frames(&crates.join("gateway/tests/data"), &corpus)?;
    transcripts(&crates.join("gateway/tests/data/jsonl"), &corpus)
}

/// Each recorded message in each envelope in which it can come, and whole bodies as they were recorded.
fn pushed_and_listed(data: &Path, corpus: &Path) -> anyhow::Result<()> {
    let (webhook, list_page) = (corpus.join("webhook"), corpus.join("list_page"));
    for file in files(data, "json")? {
        let name = stem(&file);
        let recorded: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        if recorded.get("type").is_none_or(|kind| !kind.is_string())
            || recorded.get("data").is_some()
        {
            save(&webhook, &name, &format!("\n{recorded}"))?;
            save(&list_page, &name, &recorded.to_string())?;
            continue;
        }
        let outbound = recorded["kapso"]["direction"] == "outbound";
        let event = if outbound { "sent" } else { "received" };
        for (envelope, body) in envelopes(&recorded) {
            let body = format!("whatsapp.message.{event}\n{body}");
            save(&webhook, &format!("{name}-{envelope}"), &body)?;
        }
        let page = json!({ "data": [recorded], "paging": { "cursors": { "after": "b3Blbg==" } } });
        save(&list_page, &name, &page.to_string())?;
    }
    let of_number = json!({ "phone_number_id": kapso_whatsapp_fuzz::NUMBER });
    let status = json!({ "id": "wamid.X", "status": "failed", "timestamp": "1788000000",
        "recipient_id": "5491155551234", "errors": [{ "code": 131_047, "title": "Re-engagement message" }] });
    let value = json!({ "metadata": of_number, "statuses": [status] });
    save(
        &webhook,
        "status-meta",
        &format!("\n{}", meta("messages", &value)),
    )?;
    // One long name for many messages.
    let message = json!({ "from": "1555", "type": "text", "text": { "body": "x" } });
    let contact = json!({ "profile": { "name": "n".repeat(20_000) }, "wa_id": "15551234567" });
    let value =
        json!({ "metadata": of_number, "contacts": [contact], "messages": vec![message; 200] });
    save(
        &webhook,
        "long-name-meta",
        &format!("\n{}", meta("messages", &value)),
    )
}

/// One message as Kapso's version 2 and Meta push it (kapso.md 4.4).
fn envelopes(message: &Value) -> [(&'static str, Value); 4] {
    let number = kapso_whatsapp_fuzz::NUMBER;
    let single = json!({
        "message": message,
        "conversation": { "id": "0f1e", "phone_number": "+5491155551234", "phone_number_id": number,
            "business_scoped_user_id": "AR.1049", "contact_name": "Ana", "kapso": { "contact_name": "Ana" } },
        "is_new_conversation": false,
        "phone_number_id": number,
    });
    let batch = json!({ "type": "whatsapp.message.received", "batch": true, "data": [single, single],
        "batch_info": { "size": 2, "window_ms": 5000 } });
    let mut bare = message.clone();
    if let Some(bare) = bare.as_object_mut() {
        bare.remove("kapso");
    }
    let contact =
        json!({ "profile": { "name": "Ana" }, "wa_id": "5491155551234", "user_id": "AR.1049" });
    let value = json!({ "messaging_product": "whatsapp", "metadata": { "phone_number_id": number },
        "contacts": [contact], "messages": [bare] });
    let echoes = json!({ "metadata": { "phone_number_id": number }, "message_echoes": [bare],
        "history": [{ "threads": [{ "id": "5491155551234", "messages": [bare] }] }] });
    let old = json!({ "message": { "id": "wamid.V1", "message_type": "text", "content": "hi" },
        "whatsapp_config": { "id": "c" } });
    let echoed = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [
        { "field": "smb_message_echoes", "value": echoes }, { "field": "history", "value": echoes },
        { "field": "messages", "value": value }] }] });
    [
        ("single", single),
        ("batch", batch),
        ("meta", echoed),
        ("v1", old),
    ]
}

fn meta(field: &str, value: &Value) -> Value {
    let changes = json!([{ "field": field, "value": value }]);
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": changes }] })
}

/// Every way in which a right signature is written, and some wrong ones.
fn signatures(corpus: &Path) -> anyhow::Result<()> {
    let body = "hub.mode=subscribe&hub.verify_token=token&hub.challenge=1158201444";
    let seeds = [
        ("k", "KAPSO", ""),
        ("k", "", "sha256=KAPSO"),
        ("m", "", " SHA256= META "),
        ("km", "KAPSO", "META"),
        ("km", "META", "KAPSO"),
        ("", "", ""),
        ("k", "sha256=", "sha256=00"),
    ];
    for (number, (keys, kapso, meta)) in seeds.iter().enumerate() {
        let input = format!("{keys}\n{kapso}\n{meta}\n{body}");
        save(&corpus.join("signature"), &number.to_string(), &input)?;
    }
    Ok(())
}

/// Every recorded answer and event.
fn frames(data: &Path, corpus: &Path) -> anyhow::Result<()> {
    for file in files(data, "json")? {
        let recorded: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        let mut found = Vec::new();
        collect_frames(&recorded, &mut found);
        let release = file.parent().map(stem).unwrap_or_default();
        for (number, frame) in found.iter().enumerate() {
            let name = format!("{release}-{}-{number}", stem(&file));
            save(&corpus.join("frame"), &name, &frame.to_string())?;
        }
    }
    Ok(())
}

fn collect_frames<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    if value["type"] == "res" || value["type"] == "event" {
        return found.push(value);
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_frames(item, found)),
        Value::Object(fields) => fields
            .values()
            .for_each(|field| collect_frames(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every recorded file, once for each of the questions in it.
fn transcripts(data: &Path, corpus: &Path) -> anyhow::Result<()> {
    for file in files(data, "jsonl")? {
        let release = file.parent().map(stem).unwrap_or_default();
        let lines = fs::read_to_string(&file)?;
        let read = |line: &str| serde_json::from_str::<Value>(line).ok();
        let rows = lines
            .lines()
            .filter_map(read)
            .filter(|row| row["message"]["role"] == "user");
        for (number, row) in rows.enumerate() {
            let content = &row["message"]["content"];
            let words = content
                .as_str()
                .or_else(|| content[0]["text"].as_str())
                .unwrap_or_default();
            let question = words.lines().last().unwrap_or_default();
            let name = format!("{release}-{}-{number}", stem(&file));
            save(
                &corpus.join("transcript"),
                &name,
                &format!("{question}\n{lines}"),
            )?;
        }
    }
    Ok(())
}

/// The files with this ending in a folder and below it, in order.
fn files(folder: &Path, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("no folder {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, ending)?);
        } else if path.extension().is_some_and(|it| it == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy());
    stem.unwrap_or_default().into_owned()
}

fn save(folder: &Path, name: &str, input: &str) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    Ok(fs::write(folder.join(format!("seed-{name}")), input)?)
}
