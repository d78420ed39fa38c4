package schemas

import "time"

// Record is one Kafka record. Readers must treat Key, Value and Headers as read-only: they may share memory with others.
type Record struct {
	Topic     Topic
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []Header
	Time      time.Time
}

// Header is one Kafka record header.
type Header struct {
	Key   string
	Value []byte
}

// Header returns the value of the last header named key, and whether there is one.
func (r Record) Header(key string) (string, bool) {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == key {
			return string(r.Headers[i].Value), true
		}
	}
	return "", false
}

// Size is the number of payload bytes of the record: key, value and headers.
func (r Record) Size() int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}
