"""Videos: decoded, downscaled frame by frame, and encoded again (extra ``video``).

PyAV does everything but the downscaling: it is imported when a video is opened. The command imports this
package; it imports `convert`, `pictures`, `downscaling` and `files`.
"""
