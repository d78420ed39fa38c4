// Package web is Gleaner's HTTP edge: the task API for producers, the desk API for labeling tools, and the pages for people.
// The endpoints are described in API.md. Pages are TypeScript under ui/, bundled into ui/dist and embedded, so that a plain
// `go build` needs no Node; they load nothing from anywhere else.
//
// The server holds no state of its own: what it answers is the desk's, the catalog's and the blob store's.
package web
