package schemas

import "time"

// InForce is what labels a dataset's samples first in a process that runs prelabel. It is behind what the registry asks for while
// models are loaded, and other than that where they cannot be.
type InForce struct {
	ModelSet           // without models: as every other dataset, but where samples wait
	Asked    time.Time `json:"asked"`             // Serving.At of the newest record that the process has acted upon
	Why      string    `json:"why,omitempty"`     // why it is not what that record asks for; empty: it is
	Refused  bool      `json:"refused,omitempty"` // trying that again does not help
	Waits    bool      `json:"waits,omitempty"`   // nothing can serve, and samples wait
}
