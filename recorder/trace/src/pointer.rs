//! JSON pointers, RFC 6901.

/// The reference tokens of a pointer, unescaped; none if it is no pointer.
pub fn tokens(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let unescaped = |token: &str| token.replace("~1", "/").replace("~0", "~");
    Some(pointer.strip_prefix('/')?.split('/').map(unescaped).collect())
}

/// Appends a reference token.
pub fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_comes_back() {
        let mut pointer = String::new();
        for token in ["a", "", "b/c", "~1", "0"] {
            push(&mut pointer, token);
        }
        assert_eq!(pointer, "/a//b~1c/~01/0");
        assert_eq!(tokens(&pointer).unwrap(), ["a", "", "b/c", "~1", "0"]);
        assert_eq!(tokens(""), Some(vec![]));
        assert_eq!(tokens("a/b"), None);
    }
}
