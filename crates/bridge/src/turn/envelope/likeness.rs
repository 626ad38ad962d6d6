//! What a reader takes a character for: full-width, styled, accented and foreign look-alikes read as plain letters.
//!
//! For comparing only; nothing that is passed on is rewritten by it. The compatibility forms come from Unicode; the
//! letters of other alphabets are those that look like the Latin ones in the words of the bridge's own lines.

use icu_normalizer::{DecomposingNormalizer, DecomposingNormalizerBorrowed};

const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizer::new_nfkd();

/// The letters and digits of `text` as they look. `i`, `l` and `1` are one, as are `o` and `0`.
pub(super) fn letters(text: &str) -> impl Iterator<Item = char> + '_ {
    looks(text).filter(|c| c.is_alphanumeric())
}

/// Whether `text` looks like `word`, whatever stands between the letters.
pub(super) fn is_like(text: &str, word: &str) -> bool {
    letters(text).eq(letters(word))
}

/// Every character of `text` as it looks: plain, lower-case, without accents.
pub(super) fn looks(text: &str) -> impl Iterator<Item = char> + '_ {
    NFKD.normalize_iter(text.chars().map(plain))
        .flat_map(|c| plain(c).to_lowercase())
        .map(folded)
}

/// Whether `c` looks like a colon.
pub(super) fn is_colon(c: char) -> bool {
    matches!(
        c,
        ':' | '：'
            | '︓'
            | '﹕'
            | '∶'
            | '꞉'
            | 'ː'
            | '˸'
            | '։'
            | '׃'
            | '܃'
            | '܄'
            | '᠄'
            | '⁚'
            | '∷'
            | '︰'
            | '⠆'
    )
}

/// Whether `c` looks like an opening bracket of a marker.
pub(super) fn is_opening(c: char) -> bool {
    matches!(
        c,
        '[' | '［'
            | '⁅'
            | '〔'
            | '【'
            | '〖'
            | '〘'
            | '〚'
            | '⟦'
            | '❲'
            | '⦋'
            | '⦍'
            | '⦏'
            | '⟬'
            | '「'
            | '『'
            | '﹝'
            | '⌈'
            | '⌊'
    )
}

/// Whether `c` looks like the closing bracket of a marker.
pub(super) fn is_closing(c: char) -> bool {
    matches!(
        c,
        ']' | '］'
            | '⁆'
            | '〕'
            | '】'
            | '〗'
            | '〙'
            | '〛'
            | '⟧'
            | '❳'
            | '⦌'
            | '⦎'
            | '⦐'
            | '⟭'
            | '」'
            | '』'
            | '﹞'
            | '⌉'
            | '⌋'
    )
}

/// One letter for those that are told apart by nobody.
fn folded(c: char) -> char {
    match c {
        'i' | '1' => 'l',
        '0' => 'o',
        other => other,
    }
}

/// The Latin letter that `c` looks like; capitals are looked at as capitals.
fn plain(c: char) -> char {
    match c {
        'а' | 'А' | 'α' | 'Α' | 'ɑ' | 'ᴀ' => 'a',
        'в' | 'В' | 'β' | 'Β' | 'ʙ' | 'Ь' => 'b',
        'с' | 'С' | 'ϲ' | 'Ϲ' | 'ᴄ' => 'c',
        'ԁ' | 'ᴅ' | 'đ' => 'd',
        'е' | 'Е' | 'ε' | 'Ε' | 'є' | 'ҽ' | 'ᴇ' => 'e',
        'ƒ' | 'ϝ' | 'Ϝ' | 'ꜰ' | 'ғ' | 'Ғ' | 'ẝ' => 'f',
        'ɡ' | 'ց' | 'ɢ' | 'ԍ' => 'g',
        'н' | 'Н' | 'һ' | 'Һ' | 'հ' | 'Η' | 'ʜ' => 'h',
        'і' | 'І' | 'ї' | 'ι' | 'Ι' | 'ı' | 'ɩ' | 'ɪ' | 'ӏ' | 'Ӏ' | 'ʟ' | 'ł' | 'ǀ' => {
            'l'
        }
        'ј' | 'Ј' | 'ϳ' => 'j',
        'к' | 'К' | 'κ' | 'Κ' | 'ᴋ' => 'k',
        'м' | 'М' | 'μ' | 'Μ' | 'ᴍ' | 'ϻ' | 'Ϻ' => 'm',
        'п' | 'ո' | 'η' | 'Ν' | 'ɴ' | 'ռ' => 'n',
        'о' | 'О' | 'ο' | 'Ο' | 'σ' | 'օ' | 'Օ' | 'ø' | 'Ø' | 'ᴏ' | 'ⲟ' | 'Ⲟ' => 'o',
        'р' | 'Р' | 'ρ' | 'Ρ' | 'ᴘ' => 'p',
        'ԛ' | 'Ԛ' => 'q',
        'г' | 'ʀ' | 'ɾ' | 'ɼ' | 'ᴦ' => 'r',
        'ѕ' | 'Ѕ' | 'ꜱ' => 's',
        'т' | 'Т' | 'τ' | 'Τ' | 'ᴛ' => 't',
        'υ' | 'ս' | 'ᴜ' | 'ʋ' => 'u',
        'ν' | 'ѵ' | 'Ѵ' | 'ᴠ' => 'v',
        'ԝ' | 'Ԝ' | 'ω' | 'ᴡ' => 'w',
        'х' | 'Х' | 'χ' | 'Χ' => 'x',
        'у' | 'У' | 'γ' | 'Υ' | 'ү' | 'Ү' | 'ʏ' => 'y',
        'Ζ' | 'ᴢ' => 'z',
        '\u{1f150}'..='\u{1f169}' => nth_letter(c, '\u{1f150}'),
        '\u{1f170}'..='\u{1f189}' => nth_letter(c, '\u{1f170}'),
        '\u{1f1e6}'..='\u{1f1ff}' => nth_letter(c, '\u{1f1e6}'),
        other => other,
    }
}

fn nth_letter(c: char, first: char) -> char {
    let nth = (u32::from(c) - u32::from(first)) % 26;
    char::from_u32(u32::from('a') + nth).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_read_as_the_letters_they_look_like() {
        for (text, word) in [
            ("From", "from"),
            ("ＦＲＯＭ", "from"),
            ("𝗙𝗿𝗼𝗺", "from"),
            ("Ⓕⓡⓞⓜ", "from"),
            ("🅕🅡🅞🅜", "from"),
            ("🇫🇷🇴🇲", "from"),
            ("Frоm", "from"),
            ("Fгοм", "from"),
            ("F\u{337}r\u{301}o\u{308}m", "from"),
            ("Frøm", "from"),
            ("F r\u{200b}.o*m", "from"),
            ("fr0m", "from"),
            ("VOIСE", "voice"),
            ("vo1ce", "voice"),
            ("ᴠᴏɪᴄᴇ", "voice"),
            ("ro|le", "role"),
            ("ꭱole", "ꭱole"),
        ] {
            assert!(is_like(text, word), "{text:?}");
        }
        for (text, word) in [
            ("form", "from"),
            ("fromage", "from"),
            ("", "from"),
            ("voices", "voice"),
        ] {
            assert!(!is_like(text, word), "{text:?}");
        }
    }
}
