//! Text of unknown encoding.

/// Decodes bytes as UTF-8 (with or without a byte order mark), UTF-16 with a mark, GB18030 or Windows-1252, in that
/// order of belief, and says which. Never fails: Windows-1252 takes any byte.
///
/// GB18030 is believed when it decodes cleanly and nearly all runs of high bytes have an even length, as two-byte
/// Chinese has; Latin text has single high bytes between letters.
pub(crate) fn decode(bytes: &[u8]) -> (String, &'static str) {
    if let Some((encoding, skip)) = encoding_rs::Encoding::for_bom(bytes) {
        let (text, _) = encoding.decode_without_bom_handling(bytes.get(skip..).unwrap_or(&[]));
        return (text.into_owned(), encoding.name());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (text.to_owned(), "UTF-8");
    }
    if looks_chinese(bytes)
        && let Some(text) = encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(bytes)
    {
        return (text.into_owned(), "GB18030");
    }
    let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes);
    (text.into_owned(), "windows-1252")
}

/// The first line whose encoding is not that of the lines before it, where UTF-8 and GBK stand in one file.
pub(crate) fn mixed(bytes: &[u8]) -> Option<usize> {
    if std::str::from_utf8(bytes).is_ok() || encoding_rs::Encoding::for_bom(bytes).is_some() {
        return None;
    }
    let mut first = None;
    for (i, line) in bytes.split(|b| *b == b'\n').enumerate().filter(|(_, l)| !l.is_ascii()) {
        // Chinese in UTF-8 has three bytes a character; a GBK line that reads as such by chance is hardly ever all Chinese.
        let utf8 =
            std::str::from_utf8(line).is_ok_and(|t| t.chars().filter(|c| !c.is_ascii()).all(|c| ('\u{3000}'..='\u{ffef}').contains(&c)));
        match first {
            None => first = Some(utf8),
            Some(f) if f != utf8 => return Some(i + 1),
            Some(_) => {}
        }
    }
    None
}

fn looks_chinese(bytes: &[u8]) -> bool {
    let (mut runs, mut odd, mut run) = (0usize, 0usize, 0usize);
    for &b in bytes.iter().chain(std::iter::once(&b' ')) {
        if b >= 0x80 {
            run += 1;
        } else if run > 0 {
            runs += 1;
            odd += run % 2;
            run = 0;
        }
    }
    runs > 0 && odd * 5 <= runs
}

/// A layer id or field name out of any text: lower case ASCII letters, digits and single underscores, a letter first.
/// `None` when nothing of the text survives (a Chinese name).
pub(crate) fn slug(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut lost = 0;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else {
            lost += usize::from(!c.is_ascii());
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
        }
    }
    let out = out.trim_end_matches('_');
    let out: String = if out.starts_with(|c: char| c.is_ascii_digit()) { format!("n_{out}") } else { out.to_owned() };
    let out: String = out.chars().take(60).collect();
    (!out.is_empty() && lost * 2 <= text.chars().count()).then_some(out)
}

pub(crate) use strata_model::codes::number;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_apart() {
        let (gbk, _, _) = encoding_rs::GBK.encode("物探点号,地面高程\nWS1,215.3\n");
        assert_eq!(decode(&gbk), ("物探点号,地面高程\nWS1,215.3\n".to_owned(), "GB18030"));
        let (latin, _, _) = encoding_rs::WINDOWS_1252.encode("[TITLE]\nRéseau d'été, Zürich\n");
        assert_eq!(decode(&latin).0, "[TITLE]\nRéseau d'été, Zürich\n");
        assert_eq!(decode("\u{feff}点号".as_bytes()).0, "点号");
        assert_eq!((mixed("点号\n雨水".as_bytes()), mixed(&gbk), mixed(b"abc")), (None, None, None));
        let both = [gbk.as_ref(), "WS2,雨水井\n".as_bytes()].concat();
        assert_eq!(mixed(&both), Some(3));
    }

    #[test]
    fn names_become_ids() {
        assert_eq!(slug("Pipes SolidFree-2017").as_deref(), Some("pipes_solidfree_2017"));
        assert_eq!(slug("2016_roads").as_deref(), Some("n_2016_roads"));
        assert_eq!(slug("道路"), None);
        assert_eq!(number(" ２１.5 "), Some(21.5));
        for bad in ["", "abc", "NaN", "inf", "1,5", "0x10", "1 2"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
