extension InlineArray where Element: BitwiseCopyable {
    /// An element of an array that lies in memory, read where it lies.
    ///
    /// A subscript with an index that is known at run time only copies the whole array to the stack first (Swift 6.3.1), and a
    /// branch between two elements is mispredicted where both are asked for by turns. Traps outside of the array.
    @inline(__always) mutating func inPlace(_ index: Int) -> Element {
        precondition(index >= 0 && index < count)
        // Safe: the array is its elements, one stride after the other, and the index is one of them.
        return unsafe withUnsafeBytes(of: &self) { bytes in
            unsafe bytes.load(fromByteOffset: index &* MemoryLayout<Element>.stride, as: Element.self)
        }
    }
}
