/// The texts of HTTP, as curl and nginx write them (RFC 9112).
enum HTTP {
    static func get(_ path: String, host: String) -> String {
        "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n\r\n"
    }

    /// A whole response; `date` in the form of RFC 9110 section 5.6.7.
    static func response(_ status: String, date: String, body: String, closes: Bool = false) -> [UInt8] {
        let fields = [
            "HTTP/1.1 \(status)", "Server: nginx/1.28.0", "Date: \(date)", "Content-Type: text/plain",
            "Content-Length: \(body.utf8.count)", "Connection: \(closes ? "close" : "keep-alive")",
        ]
        return Array((fields.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8)
    }

    /// Numbered lines about water, `count` of them.
    static func lines(_ count: Int) -> String {
        (1...count).map { "\($0): water finds its way through the culvert, under the road and out again\n" }.joined()
    }
}
