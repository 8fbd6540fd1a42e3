internal import HTTPTypes
package import Services

/// The answer of a health check port, as kube-proxy gives it (pkg/proxy/healthcheck/service_health.go).
package struct HealthCheckAnswer: Sendable {
    private let check: HealthCheck

    /// The answer for a Service.
    package init(_ check: HealthCheck) { self.check = check }

    /// 200 where traffic may be sent to this node, else 503.
    package var code: Int { check.localEndpoints > 0 ? 200 : 503 }

    /// The body: an object, indented with tabs, without a newline at its end.
    ///
    /// `serviceProxyHealthy` is true as long as anybody answers: the answers end with the datapath.
    package var body: [UInt8] {
        var text = TextBuffer()
        text.append("{\n\t\"service\": {\n\t\t\"namespace\": ")
        text.append(quoted: check.namespace)
        text.append(",\n\t\t\"name\": ")
        text.append(quoted: check.name)
        text.append("\n\t},\n\t\"localEndpoints\": \(check.localEndpoints),\n\t\"serviceProxyHealthy\": true\n}")
        return text.bytes
    }

    /// The fields of the header, but for the length.
    var fields: HTTPFields {
        var fields: HTTPFields = [.contentType: "application/json"]
        if let name = HTTPField.Name("X-Content-Type-Options") { fields[name] = "nosniff" }
        if let name = HTTPField.Name("X-Load-Balancing-Endpoint-Weight") { fields[name] = "\(check.localEndpoints)" }
        return fields
    }
}
