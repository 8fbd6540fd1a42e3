/// A map from 64-bit keys to 32-bit values that is built once and then only read.
///
/// Theory of operation: open addressing with linear probing, at most half full, so a lookup mostly touches one cache
/// line. The hash is seeded, as the keys may be chosen by others. The value 0xffff_ffff is reserved for empty places.
public struct StaticMap: ~Copyable, Sendable {
    @usableFromInline struct Slot: BitwiseCopyable, Sendable {
        @usableFromInline var key: UInt64
        /// The complement of the value, so that zeroed memory is empty.
        @usableFromInline var value: UInt32
        @usableFromInline var spare: UInt32
    }

    @usableFromInline let slots: FixedArray<Slot>
    @usableFromInline let mask: Int
    @usableFromInline let hash: SeededHash
    /// The number of entries.
    public let count: Int

    /// A map with the given entries; of several with one key the first counts.
    public init(_ entries: [(key: UInt64, value: UInt32)], seed: UInt64) {
        var size = 4
        while size < entries.count * 2 { size *= 2 }
        var slots = FixedArray<Slot>(count: size)
        let mask = size - 1
        let hash = SeededHash(seed: seed)
        var entered = 0
        for entry in entries {
            var at = Int(truncatingIfNeeded: hash(entry.key, 0)) & mask
            while slots[at].value != 0 && slots[at].key != entry.key { at = (at + 1) & mask }
            if slots[at].value != 0 { continue }
            slots[at].key = entry.key
            slots[at].value = ~entry.value
            entered += 1
        }
        self.slots = slots
        self.mask = mask
        self.hash = hash
        count = entered
    }

    /// The value of a key; nil when it has none.
    @inlinable public func lookup(_ key: UInt64) -> UInt32? {
        var at = Int(truncatingIfNeeded: hash(key, 0)) & mask
        while slots[at].value != 0 {
            if slots[at].key == key { return ~slots[at].value }
            at = (at &+ 1) & mask
        }
        return nil
    }

    /// Asks the processor to load the place where a lookup of the key begins.
    @inlinable public func prefetch(_ key: UInt64) { slots.prefetch(Int(truncatingIfNeeded: hash(key, 0)) & mask) }

    /// The size in bytes.
    public var byteCount: Int { slots.byteCount }
}
