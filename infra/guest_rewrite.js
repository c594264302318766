// CloudFront Function (viewer-request, runtime cloudfront-js-2.0): the guest's short addresses -> flat keys in S3.
//   /g/XHQGMDH  /g/xhqgmdh/          -> /g/xhqgmdh.html
//   /g/2026-11-07-jonas-afternoon    -> /g/2026-11-07-jonas-afternoon.html
// The name in any case, with or without one slash at the end. Anything else is passed on as it came.
// It never answers itself, so it can never redirect.
// The patterns are CODE_PATTERN and SLUG_PATTERN of guests/codes.py; a test compares them letter by letter.
var CODE = /^\/g\/([0-9A-HJKMNP-TV-Z]{7,16})\/?$/i;
var SLUG = /^\/g\/([0-9]{4}-[0-9]{2}-[0-9]{2}-[a-z0-9]+-(?:morning|afternoon|sunset)(?:-[0-9]+)?)\/?$/i;

function handler(event) {
    var request = event.request;
    var match = CODE.exec(request.uri) || SLUG.exec(request.uri);
    if (match && request.uri.indexOf('/g/') === 0) { // the flag i is meant for the name, not for the folder
        request.uri = '/g/' + match[1].toLowerCase() + '.html';
        request.querystring = {}; // one entry in the cache, whatever a mail program adds to the address
    }
    return request;
}
