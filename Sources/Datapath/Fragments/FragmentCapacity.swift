/// How much of fragments can be kept; 93 MB by default, as far as they are used.
struct FragmentCapacity {
    /// Datagrams of which fragments have come.
    let datagrams: Int

    /// Pieces of all datagrams together.
    var pieces: Int { datagrams * 8 }
    /// Fragments that wait for the first one of their datagram.
    var held: Int { datagrams * 2 }
    /// Pieces of memory in which they do.
    var chunks: Int { datagrams * 4 }
}
