"""What a video file may be.

Playlists, scripts and image patterns (hls, dash, concat, image2, ...) make the reader open *other* files,
so only container formats that hold their own data are on the list; the reader's format whitelist
enforces it, for the probe and for ffmpeg alike. The protocol whitelist keeps both off the network.
"""

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,mpegvideo,flv,live_flv,asf,asf_o,gif,apng,"
    "ogg,mxf,nut,ivf,rm,wtv,dv,dvd,h264,hevc,vvc,m4v,obu,av1,vc1,y4m,yuv4mpegpipe,swf,nsv,amv,f4v,ism"
)
PROTOCOLS = "file,pipe"

READER_OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": PROTOCOLS}
# MP4 whose last fragment is cut off within its description: libav refuses the file if it may look ahead
WITHOUT_INDEX = {"fflags": "+ignidx"}
