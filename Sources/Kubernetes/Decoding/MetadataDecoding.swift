extension Fields {
    private static let metadataFields: [FieldName] = [
        .name, .generateName, .namespace, .labels, .annotations, .uid, .resourceVersion, .generation,
        .creationTimestamp, .deletionTimestamp, .deletionGracePeriodSeconds, .ownerReferences, .finalizers,
        .managedFields, .selfLink, .clusterName,
    ]

    /// Decodes `metadata`, and tells the decoder the name of the object.
    func metadata(kind: String, name form: NameForm, isNamespaced: Bool = true, annotations: Bool = false) -> Metadata?
    {
        guard has(.metadata) else {
            decoder.at(.metadata) { decoder.fault("is missing") }
            return nil
        }
        return mapping(.metadata, known: Self.metadataFields) { fields in
            let namespace = isNamespaced ? fields.string(.namespace).flatMap { $0.isEmpty ? nil : $0 } ?? "default" : ""
            let written = fields.string(.name)
            let name = written ?? ""
            decoder.object = ObjectReference(kind: kind, namespace: namespace, name: name)
            if !fields.has(.name) {
                decoder.at(.name) { decoder.fault("is missing") }
            } else if written != nil, !form.accepts(name) {
                decoder.at(.name) { decoder.fault(Quoting.quoted(name), "is not \(form.description)") }
            }
            if isNamespaced, !NameForm.label.accepts(namespace) {
                decoder.at(.namespace) {
                    decoder.fault(Quoting.quoted(namespace), "is not \(NameForm.label.description)")
                }
            }
            return Metadata(
                namespace: namespace,
                name: name,
                labels: fields.labels(.labels),
                annotations: annotations ? fields.annotations() : [:],
                isDeleted: fields.has(.deletionTimestamp)
            )
        } ?? nil
    }

    /// The most bytes that the annotations of an object may have together, keys included (`TotalAnnotationSizeLimitB`).
    private static let maximumAnnotationBytes = 256 * 1024

    /// Annotations: keys of the form of labels' but for upper case in their prefix, values of any kind.
    private func annotations() -> [String: String] {
        var size = 0
        let annotations = stringMap(.annotations) { key, value in
            size += key.utf8.count + value.utf8.count
            if !NameForm.qualified.accepts(key.lowercased()) {
                decoder.fault(Quoting.quoted(key), "is not \(NameForm.qualified.description)")
            }
        }
        if size > Self.maximumAnnotationBytes {
            decoder.at(.annotations) { decoder.fault("has \(size) bytes, more than \(Self.maximumAnnotationBytes)") }
        }
        return annotations
    }

    /// Labels or a selector: keys and values of the forms that the API server demands.
    func labels(_ name: FieldName) -> [String: String] {
        stringMap(name) { key, value in
            if !NameForm.qualified.accepts(key) {
                decoder.fault(Quoting.quoted(key), "is not \(NameForm.qualified.description)")
            }
            if !NameForm.labelValue.accepts(value) {
                decoder.fault(Quoting.quoted(value), "is not \(NameForm.labelValue.description)")
            }
        }
    }
}
