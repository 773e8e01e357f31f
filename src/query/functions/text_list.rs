//! `text_list(text)`: the distinct texts of a group, sorted, in one text: `claude-haiku, claude-opus`.
//!
//! - nulls are left out; a group without texts is null
//! - unlike `string_agg(DISTINCT x ORDER BY x)` it needs no sorted input and no accumulator per group
//! - a state is the group's texts joined by U+001F, which is removed from the texts themselves

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

const BETWEEN_STATES: char = '\u{1f}';

/// The function.
pub(super) fn udaf() -> AggregateUDF {
    let signature = Signature::exact(vec![DataType::Utf8View], Volatility::Immutable);
    AggregateUDF::new_from_impl(TextList { signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TextList {
    signature: Signature,
}

impl AggregateUDFImpl for TextList {
    fn name(&self) -> &str {
        "text_list"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup::default()))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Lists::default()))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// Lists of many groups. Texts are stored once, however many groups have them.
#[derive(Debug, Default)]
struct Lists {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    groups: Vec<Vec<u32>>,
    bytes: usize,
}

impl Lists {
    fn add(&mut self, group: usize, text: &str) {
        let number = match self.numbers.get(text) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
                let shared: Arc<str> = text.into();
                self.bytes += text.len() + 64;
                self.texts.push(Arc::clone(&shared));
                self.numbers.insert(shared, number);
                number
            }
        };
        let list = &mut self.groups[group];
        if !list.contains(&number) {
            list.push(number);
            self.bytes += 4;
        }
    }

    fn grow(&mut self, groups: usize) {
        if self.groups.len() < groups {
            self.bytes += (groups - self.groups.len()) * size_of::<Vec<u32>>();
            self.groups.resize_with(groups, Vec::new);
        }
    }

    fn emit(&mut self, emit_to: EmitTo, between: &str) -> ArrayRef {
        let lists = emit_to.take_needed(&mut self.groups);
        let mut out = StringViewBuilder::with_capacity(lists.len());
        let (mut sorted, mut text): (Vec<&str>, String) = (Vec::new(), String::new());
        for list in &lists {
            self.bytes = self.bytes.saturating_sub(list.len() * 4 + size_of::<Vec<u32>>());
            sorted.clear();
            sorted.extend(list.iter().map(|n| &*self.texts[*n as usize]));
            sorted.sort_unstable();
            text.clear();
            for (i, item) in sorted.iter().enumerate() {
                text.push_str(if i > 0 { between } else { "" });
                text.push_str(item);
            }
            out.append_option((!sorted.is_empty()).then_some(text.as_str()));
        }
        Arc::new(out.finish())
    }
}

impl GroupsAccumulator for Lists {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.grow(total_num_groups);
        let texts = values[0].as_string_view();
        for (row, (text, group)) in texts.iter().zip(group_indices).enumerate() {
            let wanted = filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            match text {
                Some(text) if wanted && text.contains(BETWEEN_STATES) => {
                    self.add(*group, &text.replace(BETWEEN_STATES, ""));
                }
                Some(text) if wanted => self.add(*group, text),
                _ => {}
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(self.emit(emit_to, ", "))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.emit(emit_to, "\u{1f}")])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.grow(total_num_groups);
        for (state, group) in values[0].as_string_view().iter().zip(group_indices) {
            for text in state.into_iter().flat_map(|s| s.split(BETWEEN_STATES)) {
                self.add(*group, text);
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = Self::default();
        let rows: Vec<usize> = (0..values[0].len()).collect();
        each.update_batch(values, &rows, filter, rows.len())?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.bytes
    }
}

/// The list of a query without GROUP BY.
#[derive(Debug, Default)]
struct OneGroup(Lists);

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(values, &vec![0; values[0].len()], None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.grow(1);
        ScalarValue::try_from_array(&self.0.evaluate(EmitTo::All)?, 0)
    }

    fn size(&self) -> usize {
        GroupsAccumulator::size(&self.0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.grow(1);
        let state = self.0.emit(EmitTo::All, "\u{1f}");
        Ok(vec![ScalarValue::try_from_array(&state, 0)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states, &vec![0; states[0].len()], 1)
    }
}
