public import CShims

/// Asks the processor to load a cache line ahead of its use; Swift itself has no word for it.
public enum Prefetch {
    /// Bytes of a cache line.
    @inlinable public static var lineLength: Int { 64 }

    /// Loads the line that holds `address`, for reading and writing; never faults, whatever the address.
    @inlinable public static func line(_ address: UnsafeRawPointer) {
        // Safe: a prefetch is a hint and does not access memory as the language sees it.
        unsafe culvert_prefetch(address)
    }
}
