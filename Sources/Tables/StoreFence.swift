public import Synchronization

/// Keeps all stores before it before all stores after it.
///
/// For records in mapped files: after a process was killed a file holds what had been stored, in the order of the
/// instructions, and this keeps the compiler from changing their order. On x86-64 it costs no instruction.
@inlinable @inline(__always) public func storeFence() { atomicMemoryFence(ordering: .acquiringAndReleasing) }
