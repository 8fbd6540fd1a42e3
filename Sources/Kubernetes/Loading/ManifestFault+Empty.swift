extension ManifestFault {
    /// Whether this says that a file holds no objects, or a directory no manifests.
    ///
    /// A warning to the loader; a reload has reasons to take it more seriously.
    package var isAboutNothing: Bool { object == nil && expectation.hasPrefix("holds no ") }
}
