//! What a query's text may be, checked before anything recursive sees it.
//!
//! - at most [`MAX_BYTES`] of text
//! - at most [`MAX_CHAIN`] operators in one expression: parser, planner and destructor walk an
//!   expression recursively, and a stack overflow ends the process
//! - the checks read a flat list of tokens and use no recursion themselves

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::error::QueryError;
use super::position::TextPosition;

/// Longest query text.
pub(super) const MAX_BYTES: usize = 256 * 1024;
/// Most operators on the path from an expression's root to a leaf, counted from above.
const MAX_CHAIN: usize = 2_000;
/// Most `UNION`s, `JOIN`s and the like in one query.
const MAX_RELATIONS: usize = 400;

/// How tightly the operators of JSON bind: more than arithmetic, less than `::`.
const ARROWS: u8 = 45;

/// The SQL that devlog speaks: the planner's own dialect, with the JSON operators `->`, `->>` and `?`.
#[derive(Debug)]
pub(super) struct SqlDialect;

macro_rules! yes {
    ($($feature:ident)+) => { $( fn $feature(&self) -> bool { true } )+ };
}

impl Dialect for SqlDialect {
    /// The operators of JSON bind as in SQLite: `extra->>'a' = 'b'` compares the field.
    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        let arrow = matches!(
            parser.peek_token_ref().token,
            Token::Arrow | Token::LongArrow | Token::HashArrow | Token::HashLongArrow | Token::Question
        );
        arrow.then_some(Ok(ARROWS))
    }

    /// The parser itself takes all that follows `IS DISTINCT FROM` as its right side, `AND` included.
    fn parse_infix(&self, parser: &mut Parser<'_>, left: &Expr, _: u8) -> Option<Result<Expr, ParserError>> {
        let is = self.prec_value(Precedence::Is);
        if parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]) {
            let right = parser.parse_subexpr(is);
            return Some(right.map(|right| Expr::IsDistinctFrom(Box::new(left.clone()), Box::new(right))));
        }
        if parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]) {
            let right = parser.parse_subexpr(is);
            return Some(right.map(|right| Expr::IsNotDistinctFrom(Box::new(left.clone()), Box::new(right))));
        }
        None
    }

    fn dialect(&self) -> std::any::TypeId {
        std::any::TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"' || ch == '`'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    yes! {
        supports_unicode_string_literal supports_group_by_expr supports_group_by_with_modifier
        supports_left_associative_joins_without_parens supports_window_function_null_treatment_arg
        supports_dictionary_syntax supports_window_clause_named_window_reference supports_select_wildcard_except
        support_map_literal_syntax allow_extract_custom allow_extract_single_quotes
        supports_parens_around_table_factor supports_values_as_table_factor supports_limit_comma
        supports_from_first_select supports_projection_trailing_commas supports_try_convert
        supports_bitwise_shift_operators supports_named_fn_args_with_assignment_operator supports_struct_literal
        supports_nested_comments supports_string_escape_constant supports_array_typedef_with_brackets
        supports_filter_during_aggregation supports_select_wildcard_exclude supports_interval_options
        supports_select_wildcard_replace supports_select_wildcard_rename supports_comma_separated_trim
        supports_geometric_types
    }
}

/// Cuts `sql` into tokens and refuses text that could exhaust the stack.
///
/// # Errors
///
/// Too long, too deep, or not even words.
pub(super) fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>, QueryError> {
    if sql.len() > MAX_BYTES {
        return Err(QueryError::TooLong { bytes: sql.len(), limit: MAX_BYTES });
    }
    let tokens = Tokenizer::new(&SqlDialect, sql).tokenize_with_location().map_err(|e| QueryError::Syntax {
        message: e.message.clone(),
        place: Some(TextPosition::new(e.location.line, e.location.column)),
    })?;
    depth(&tokens)?;
    Ok(tokens)
}

fn depth(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    // One counter per open bracket: operators of the expression at hand. Their sum bounds the depth.
    let mut open = vec![0usize];
    let (mut sum, mut relations) = (0usize, 0usize);
    for TokenWithSpan { token, span } in tokens {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => open.push(0),
            Token::RParen | Token::RBracket | Token::RBrace => {
                if open.len() > 1 {
                    sum -= open.pop().unwrap_or_default();
                }
            }
            Token::Comma | Token::SemiColon => reset(&mut open, &mut sum),
            Token::Word(word) => match word.keyword {
                Keyword::SELECT | Keyword::FROM | Keyword::WHERE | Keyword::HAVING | Keyword::GROUP => {
                    reset(&mut open, &mut sum);
                }
                Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::JOIN => relations += 1,
                Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::IS | Keyword::LIKE | Keyword::BETWEEN => {
                    count(&mut open, &mut sum);
                }
                _ => {}
            },
            Token::Whitespace(_) | Token::Number(..) | Token::Period | Token::SingleQuotedString(_) => {}
            _ => count(&mut open, &mut sum),
        }
        if sum + open.len() > MAX_CHAIN || relations > MAX_RELATIONS {
            let place = TextPosition::new(span.start.line, span.start.column);
            return Err(QueryError::TooDeep { place });
        }
    }
    Ok(())
}

fn count(open: &mut [usize], sum: &mut usize) {
    if let Some(last) = open.last_mut() {
        *last += 1;
        *sum += 1;
    }
}

fn reset(open: &mut [usize], sum: &mut usize) {
    if let Some(last) = open.last_mut() {
        *sum -= *last;
        *last = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::position::place_of;
    use super::*;

    #[test]
    fn a_long_chain_is_refused_and_a_long_list_is_not() {
        let chain = format!("SELECT 1 WHERE 1=2{}", " OR 1=2".repeat(50_000));
        assert!(matches!(tokens(&chain), Err(QueryError::TooLong { .. })));
        let chain = format!("SELECT 1 WHERE 1=2{}", " OR 1=2".repeat(20_000));
        assert!(matches!(tokens(&chain), Err(QueryError::TooDeep { .. })));
        let unions = vec!["SELECT 1"; 2_000].join(" UNION ALL ");
        assert!(matches!(tokens(&unions), Err(QueryError::TooDeep { .. })));
        let parens = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
        assert!(matches!(tokens(&parens), Err(QueryError::TooDeep { .. })));
        let list = format!("SELECT 1 WHERE 1 IN (1{})", ",2".repeat(20_000));
        assert!(tokens(&list).is_ok());
    }

    #[test]
    fn a_word_is_found_with_its_line_and_column() {
        let tokens = tokens("SELECT a,\n  \"modle\" FROM events").unwrap();
        assert_eq!(place_of(&tokens, "modle"), Some(TextPosition { line: 2, column: 3 }));
        assert_eq!(place_of(&tokens, "model"), None);
    }
}
