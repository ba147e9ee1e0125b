//! Hand columns over through the Arrow C data interface, as one array of structs.
//!
//! <https://arrow.apache.org/docs/format/CDataInterface.html>. The only unsafe code of the crate is here.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;

use pyo3::prelude::*;
use pyo3::types::PyCapsule;

/// The values of a column; the value of a null row has no meaning.
pub enum Values {
    U32(Vec<u32>),
    U64(Vec<u64>),
    F64(Vec<f64>),
    /// Microseconds since 1970, UTC.
    Timestamp(Vec<i64>),
    Text { views: Vec<u128>, data: Vec<u8> },
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::U32(values) => values.len(),
            Values::U64(values) => values.len(),
            Values::F64(values) => values.len(),
            Values::Timestamp(values) => values.len(),
            Values::Text { views, .. } => views.len(),
        }
    }

    fn format(&self) -> &'static CStr {
        match self {
            Values::U32(_) => c"I",
            Values::U64(_) => c"L",
            Values::F64(_) => c"g",
            Values::Timestamp(_) => c"tsu:UTC",
            Values::Text { .. } => c"vu",
        }
    }
}

/// A column; `validity` is None where no row is null.
pub struct Array {
    pub name: String,
    pub values: Values,
    pub null_count: usize,
    pub validity: Option<Vec<u8>>,
}

/// Columns of one length, which can be taken once.
#[pyclass]
pub struct Table {
    columns: Option<Vec<Array>>,
}

impl Table {
    pub fn new(columns: Vec<Array>) -> Self {
        Table { columns: Some(columns) }
    }
}

#[pymethods]
impl Table {
    /// The schema and the array as capsules; `requested_schema` is not followed, as the protocol allows.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &mut self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        drop(requested_schema);
        let columns = self
            .columns
            .take()
            .ok_or_else(|| pyo3::exceptions::PyValueError::new_err("the columns were taken already"))?;
        let schema = ArrowSchema::of_struct(&columns);
        let array = ArrowArray::of_struct(columns);
        Ok((
            PyCapsule::new_with_value(py, schema, c"arrow_schema")?,
            PyCapsule::new_with_value(py, array, c"arrow_array")?,
        ))
    }
}

const NULLABLE: i64 = 2;

#[repr(C)]
struct ArrowSchema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *mut *mut ArrowSchema,
    dictionary: *mut ArrowSchema,
    release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    private_data: *mut c_void,
}

/// What the pointers of a schema refer to.
struct SchemaOwner {
    _name: CString,
    children: Vec<*mut ArrowSchema>,
}

impl ArrowSchema {
    fn of_struct(columns: &[Array]) -> Self {
        let children =
            columns.iter().map(|column| Self::new(column.values.format(), &column.name, Vec::new())).map(boxed).collect();
        Self::new(c"+s", "", children)
    }

    fn new(format: &'static CStr, name: &str, children: Vec<*mut ArrowSchema>) -> Self {
        let name = CString::new(name).unwrap_or_default();
        let mut owner = Box::new(SchemaOwner { _name: name, children });
        ArrowSchema {
            format: format.as_ptr(),
            name: owner._name.as_ptr(),
            metadata: ptr::null(),
            flags: NULLABLE,
            n_children: owner.children.len() as i64,
            children: owner.children.as_mut_ptr(),
            dictionary: ptr::null_mut(),
            release: Some(release_schema),
            private_data: Box::into_raw(owner).cast(),
        }
    }
}

/// # Safety
/// Called once by the consumer, with a schema that `ArrowSchema::new` has made.
unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: the owner is the box that `new` leaked, and each child is a box that nothing else frees; a child that
    // the consumer has moved away is marked by `release` being null, which dropping it respects.
    unsafe {
        let owner = Box::from_raw((*schema).private_data.cast::<SchemaOwner>());
        for &child in &owner.children {
            drop(Box::from_raw(child));
        }
        (*schema).release = None;
    }
}

impl Drop for ArrowSchema {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: it was not released, and is released only here from now on.
            unsafe { release(self) }
        }
    }
}

// SAFETY: a schema owns all that it points to, and nothing in it belongs to a thread.
unsafe impl Send for ArrowSchema {}

#[repr(C)]
struct ArrowArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut ArrowArray,
    dictionary: *mut ArrowArray,
    release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    private_data: *mut c_void,
}

/// What the pointers of an array refer to.
struct ArrayOwner {
    _values: Option<Values>,
    _validity: Option<Vec<u8>>,
    _data_lengths: Vec<i64>,
    buffers: Vec<*const c_void>,
    children: Vec<*mut ArrowArray>,
}

impl ArrowArray {
    fn of_struct(columns: Vec<Array>) -> Self {
        let length = columns.first().map_or(0, |column| column.values.len());
        let children = columns.into_iter().map(Self::of_column).map(boxed).collect();
        let owner = ArrayOwner {
            _values: None,
            _validity: None,
            _data_lengths: Vec::new(),
            buffers: vec![ptr::null()],
            children,
        };
        Self::new(length, 0, owner)
    }

    fn of_column(column: Array) -> Self {
        let mut buffers = vec![column.validity.as_ref().map_or(ptr::null(), |bits| bits.as_ptr().cast())];
        let mut data_lengths = Vec::new();
        match &column.values {
            Values::U32(values) => buffers.push(values.as_ptr().cast()),
            Values::U64(values) => buffers.push(values.as_ptr().cast()),
            Values::F64(values) => buffers.push(values.as_ptr().cast()),
            Values::Timestamp(values) => buffers.push(values.as_ptr().cast()),
            Values::Text { views, data } => {
                data_lengths.push(data.len() as i64);
                buffers.extend([views.as_ptr().cast(), data.as_ptr().cast(), data_lengths.as_ptr().cast()]);
            }
        }
        let length = column.values.len();
        let owner = ArrayOwner {
            _values: Some(column.values),
            _validity: column.validity,
            _data_lengths: data_lengths,
            buffers,
            children: Vec::new(),
        };
        Self::new(length, column.null_count, owner)
    }

    /// An array of the buffers and children of an owner; moving a `Vec` does not move what it points to.
    fn new(length: usize, null_count: usize, owner: ArrayOwner) -> Self {
        let mut owner = Box::new(owner);
        ArrowArray {
            length: length as i64,
            null_count: null_count as i64,
            offset: 0,
            n_buffers: owner.buffers.len() as i64,
            n_children: owner.children.len() as i64,
            buffers: owner.buffers.as_mut_ptr(),
            children: owner.children.as_mut_ptr(),
            dictionary: ptr::null_mut(),
            release: Some(release_array),
            private_data: Box::into_raw(owner).cast(),
        }
    }
}

/// # Safety
/// Called once by the consumer, with an array that `ArrowArray::new` has made.
unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: as in `release_schema`.
    unsafe {
        let owner = Box::from_raw((*array).private_data.cast::<ArrayOwner>());
        for &child in &owner.children {
            drop(Box::from_raw(child));
        }
        (*array).release = None;
    }
}

impl Drop for ArrowArray {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: it was not released, and is released only here from now on.
            unsafe { release(self) }
        }
    }
}

// SAFETY: an array owns all that it points to, and nothing in it belongs to a thread.
unsafe impl Send for ArrowArray {}

fn boxed<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}
