"""What a video file may be.

Playlists, scripts and image patterns (hls, dash, concat, image2, ...) make the reader open *other* files,
so only formats that hold their own data are on the list; the reader's format whitelist enforces it, for the
probe and for ffmpeg alike. The protocol whitelist keeps both off the network. Formats that are not on it are
refused by name (`refusal.py`); docs/decisions/video.md has the table.
"""

# containers that are made today, or lie in archives
_COMMON = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,flv,live_flv,kux,asf,asf_o,ogg,mxf,gxf,lxf,"
    "nut,ivf,rm,ivr,wtv,ty,pva,nuv,dv,nsv,swf,dhav,hxvs,pmp,cine,ser,r3d"
)
# streams without a container; frames are counted
RAW = "h261,h263,h264,hevc,vvc,evc,mpegvideo,m4v,obu,av1,vc1,cavsvideo,avs2,avs3,dnxhd,ipu"
_MOTION_PICTURES = (
    "gif,apng,webp_anim,jpegxl_anim,mjpeg,mjpeg_2000,mpjpeg,smjpeg,ingenient,yuv4mpegpipe,flic,filmstrip"
)
# cameras, phones and games of their day
_RARE = (
    "4xm,anm,argo_brp,avs,bethsoftvid,bfi,bink,bmv,c93,cdg,cdxl,dfa,dsicin,dxa,ea,ea_cdata,film_cpk,gdv,hnm,"
    "idcin,ifv,ipmovie,iv8,jv,lmlm4,luodat,lvf,mgsts,mm,mods,moflex,msnwctcp,mtv,mv,mvi,mxg,nc,paf,pdv,psxstr,rl2,"
    "roq,rpl,sdr2,sga,siff,simbiosis_imx,smk,smush,thp,tiertexseq,tmv,usm,vc1test,vividas,vivo,vmd,wc3movie,wsvqa,"
    "xmv,yop"
)
CONTAINERS = f"{_COMMON},{RAW},{_MOTION_PICTURES},{_RARE}"
PROTOCOLS = "file,pipe"

READER_OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": PROTOCOLS}
# MP4 whose last fragment is cut off within its description: libav refuses the file if it may look ahead
WITHOUT_INDEX = {"fflags": "+ignidx"}
