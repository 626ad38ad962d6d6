//! What is held back, and what ordinary answers keep.

use proptest::prelude::*;

use super::*;

const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const JWT: &str = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIrMTU1NTEyMzQ1NjcifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ";

fn left(text: &str) -> String {
    without_leaks(text).0
}

#[test]
fn r15_paths_of_the_host_are_never_told() {
    for (text, told) in [
        (
            "I saved it to /home/ann/notes.txt.",
            "I saved it to [removed].",
        ),
        ("see `/root/.ssh/config`", "see `[removed]`"),
        ("see (/Users/ann/Desktop/a.png)", "see ([removed])"),
        (r"Open C:\Users\Ann Smith\x.txt now", "Open [removed] now"),
        (
            r#"{"path":"C:\\Users\\Ann\\x.txt"}"#,
            r#"{"path":"[removed]"}"#,
        ),
        ("c:/Users/Ann/x", "The file is [removed]"),
        (
            "HOME=/home/ann/x PATH=/usr/bin",
            "HOME=[removed] PATH=/usr/bin",
        ),
        ("~/.openclaw/openclaw.json, please", "[removed], please"),
        ("$HOME/.openclaw/credentials is it", "[removed] is it"),
        ("/var/lib/openclaw/state/x.db is it", "[removed] is it"),
        ("file:///home/ann/a.html is it", "[removed] is it"),
        ("file:///C:/Users/Ann/a.html is it", "[removed] is it"),
        (
            "in /app/node_modules/openclaw/dist/x.js:10:5: oops",
            "in [removed]: oops",
        ),
    ] {
        let text = if text.starts_with("c:") {
            format!("The file is {text}")
        } else {
            text.to_owned()
        };
        assert_eq!(
            without_leaks(&text),
            (told.to_owned(), vec![Leak::HostPath])
        );
    }
}

#[test]
fn r15_strings_that_look_like_keys_are_never_told() {
    let pem = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE\nAAAA\n-----END OPENSSH PRIVATE KEY-----";
    let keys = [
        "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWx-1234_x".to_owned(),
        format!("sk-proj-{}", &HEX[..40]),
        format!("ghp_{}", &HEX[..36]),
        format!("github_pat_11ABCDEFG0_{}", &HEX[..40]),
        "xoxb-123456789012-abcdefABCDEF".to_owned(),
        "AKIAIOSFODNN7EXAMPLE".to_owned(),
        "AIzaSyA1234567890abcdefghijklmnopqrstuv".to_owned(),
        JWT.to_owned(),
        pem.to_owned(),
    ];
    for key in &keys {
        for (before, after) in [
            ("It is ", " indeed."),
            ("It is `", "`."),
            ("x=", ""),
            ("It is (", ")"),
        ] {
            let text = format!("Look. {before}{key}{after}");
            let told = format!("Look. {before}[removed]{after}");
            assert_eq!(without_leaks(&text), (told, vec![Leak::Key]));
        }
    }
    for (text, told) in [
        (
            format!("The token is {HEX}."),
            "The token is [removed].".to_owned(),
        ),
        (
            format!("secret: \"{HEX}\""),
            "secret: \"[removed]\"".to_owned(),
        ),
        (format!("api_key={HEX}"), "api_key=[removed]".to_owned()),
        (
            "KAPSO_API_KEY=Ab3dEf6hIj9kLm2n".into(),
            "KAPSO_API_KEY=[removed]".into(),
        ),
        (
            "GATEWAY_TOKEN: 'Ab3dEf6hIj9kLm2n'".into(),
            "GATEWAY_TOKEN: '[removed]'".into(),
        ),
        (
            "Authorization: Bearer Ab3dEf6hIj9kLm2n".into(),
            "Authorization: Bearer [removed]".into(),
        ),
        (
            "x\n-----BEGIN RSA PRIVATE KEY-----\nMII".into(),
            "x\n[removed]".into(),
        ),
    ] {
        assert_eq!(without_leaks(&text), (told, vec![Leak::Key]));
    }
}

#[test]
fn r15_stack_traces_are_never_told() {
    let traces = [
        "TypeError: Cannot read properties of undefined (reading 'x')
    at f (/app/dist/x.js:10:5)
    at async Promise.all (index 0)
    at new Promise (<anonymous>)
    at async file:///app/y.js:1:2
    at node:internal/process/task_queues:95:5",
        "Error: spawn
second line
    at ChildProcess.<anonymous> (node:child_process:286:12) {
  code: 'ENOENT'
}",
        "Traceback (most recent call last):
  File \"/srv/x.py\", line 3, in <module>
    main()
  File \"x.py\", line 1, in main
ValueError: bad",
        "thread 'main' panicked at src/main.rs:4:5:
index out of bounds
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
        "thread 'main' (42) panicked at src/main.rs:4:5:
boom
stack backtrace:
   0: rust_begin_unwind
             at /rustc/abc/library/std/src/panicking.rs:665:5
   1: core::panicking::panic_fmt
             at /rustc/abc/library/core/src/panicking.rs:80:14",
        "java.io.IOException: no
	at com.acme.App.run(App.java:12)
	at java.base/java.lang.Object.wait(Native Method)
Caused by: java.lang.IllegalStateException: x
	at com.acme.B.c(B.kt:3)
	... 12 more",
    ];
    for trace in traces {
        let (told, leaks) = without_leaks(&format!(
            "That did not work.\n\n{trace}\n\nPlease try later."
        ));
        assert_eq!(
            told.lines().filter(|l| !l.is_empty()).collect::<Vec<_>>(),
            ["That did not work.", "Please try later."],
            "{trace}"
        );
        assert_eq!(leaks, [Leak::StackTrace], "{trace}");
        assert_eq!(without_leaks(trace).0, "", "{trace}");
    }
}

#[test]
fn a_trace_in_a_fence_stays_unless_it_names_the_host() {
    let asked = "You wrote:\n```\nTypeError: x\n    at f (src/x.js:10:5)\n```\nso `x` is missing.";
    assert_eq!(without_leaks(asked), (asked.to_owned(), vec![]));
    let host = "It said:\n```\nTypeError: x\n    at f (/home/ann/x.js:10:5)\n```\nSorry.";
    assert_eq!(
        without_leaks(host),
        ("It said:\nSorry.".to_owned(), vec![Leak::StackTrace])
    );
}

#[test]
fn nothing_is_left_of_an_answer_that_was_nothing_else() {
    assert_eq!(
        without_leaks("`/home/ann/x`\n\n**sk-abcdefghij0123456789**").0,
        ""
    );
    assert_eq!(without_leaks("").0, "");
    assert_eq!(without_leaks("👍"), ("👍".to_owned(), vec![]));
}

/// Answers as customers get them, near to what is held back.
const ORDINARY: &[&str] = &[
    "Your order 4711 is on its way.",
    "See https://shop.example/home/ann/offers for more.",
    "See https://shop.example/root/x and http://a.example/Users/ann/x.",
    "Pay here: https://pay.example/link?token=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "Reset it: https://x.example/?t=eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIrMTU1NTEyMzQ1NjcifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
    "Go to shop.example/home/ann/offers.",
    "The page is /home or /home/offers.",
    "In Linux your files are in /home/user/Documents or /home/username/x.",
    "Type `cd /home/<name>/x` or `cd /home/$USER/x`.",
    "On a Mac: /Users/yourname/Desktop/a.txt.",
    r"On Windows: C:\Users\YourName\Desktop or C:\Users\username\x.",
    r"C:\Program Files\App\app.exe",
    "Edit /etc/nginx/nginx.conf and /var/log/syslog.",
    "~/Downloads/file.pdf and ~/.ssh/config are yours.",
    "./home/ann/x is relative",
    "and/or, he/she, 24/7, 1/2",
    "The repository is https://github.com/openclaw/openclaw.",
    "We use openclaw/openclaw at work.",
    "GET /Users/2819c223 gives the user, GET /users/ann/posts hers.",
    "The commit is da39a3ee5e6b4b0d3255bfef95601890afd80709.",
    "The SHA-256 of the file: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "Your tracking number is 1Z999AA10123456784.",
    "IBAN DE89370400440532013000, BIC COBADEFFXXX",
    "Order id 550e8400-e29b-41d4-a716-446655440000",
    "The key is under the mat.",
    "Your token is 123456.",
    "The password must have 12 characters, a digit and a capital.",
    "An OpenAI key begins with sk- and a GitHub one with ghp_.",
    "Use sk-your-api-key-goes-here as a placeholder.",
    "We sell sk-ii and task-force-10 products.",
    "API_KEY=your_key_here",
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "The bearer of this letter may enter.",
    "at 10:30:15 we meet\nat 12:00 we eat",
    "at the corner (near no. 5)",
    "Meet me\nat Café Paris (Av. Corrientes 1234)",
    "Error: your card was declined. Please try another one.",
    "A NullPointerException means that something is missing.",
    "Exception: Sundays we close at 13:00.",
    "1. std::vec is a list\n2. core::fmt prints",
    "0: none\n1: one",
    "File \"report.pdf\", page 3",
    "File \"prices.csv\", line 12 has no amount.",
    "at home (native)",
    "Traceback is a word in Python.",
    "```python\nopen('/tmp/x.txt').read()\n```",
    "```\n```",
    "```js\nthrow new Error('x'); // at line 10:5\n```",
    "ratio 16:9, 3:2 and a:b:c",
    "[removed] was typed by nobody",
    "precios: $1.500 / mes, 50% de descuento",
    "日本語の返事です。https://例え.jp/home/ann/x",
    "مرحبا، رمزك هو 4321",
    "$HOME is your folder",
    "... 3 more",
    "   indented\n\n\n   and spaced   ",
];

#[test]
fn ordinary_answers_are_told_as_they_are() {
    assert!(ORDINARY.len() >= 40);
    for text in ORDINARY {
        assert_eq!(without_leaks(text), ((*text).to_owned(), vec![]));
    }
}

#[test]
fn a_long_answer_is_looked_at_once() {
    for piece in [
        "[",
        "/",
        "~/",
        "a://",
        "sk-",
        "eyJ.",
        "at (",
        "key ",
        "-----BEGIN ",
        "<think>",
        "```\n",
        "/home/",
    ] {
        let text = piece.repeat(200_000 / piece.len());
        left(&text);
    }
}

proptest! {
    #[test]
    fn what_is_left_holds_nothing_more(text in "(/home/ann/x|sk-abcdefghij0123456789|[a-z /:.`\n]|\\PC){0,30}") {
        let once = left(&text);
        prop_assert_eq!(without_leaks(&once).0, once);
    }
}
