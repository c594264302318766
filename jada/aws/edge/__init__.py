"""A local edge for the demo and the tests: CloudFront's way of answering, on loopback.

It reads the *deployed* distribution, so a wrong set-up shows its real fault: viewer-request function, cache, origin,
error pages, response headers, invalidations. The cache is the point; the emulators have none.

Not modelled: compression, conditional and range requests, https and its redirect, cookies and headers in the cache key,
WAF, signed URLs, a function at any other event.
"""

from jada.aws.edge.answers import Answer
from jada.aws.edge.distribution import Edge

__all__ = ["Answer", "Edge"]
