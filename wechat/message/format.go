package message

// Format is the data format (数据格式) in which the console makes WeChat write
// pushes and expect replies.
type Format uint8

// The data formats. XML is what every account had until JSON came beside it.
const (
	XML Format = iota
	JSON
)

// String returns the name that the console has for the format.
func (f Format) String() string {
	if f == JSON {
		return "JSON"
	}

	return "XML"
}

// FormatOf tells the format of a push or a reply by its first byte that is not
// white space: JSON is an object, and whatever is not one has to be XML.
func FormatOf(body []byte) Format {
	for _, b := range body {
		if !isSpace(b) {
			if b == '{' {
				return JSON
			}

			break
		}
	}

	return XML
}
